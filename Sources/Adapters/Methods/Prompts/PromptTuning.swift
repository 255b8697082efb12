internal import Transformer

/// Soft prompts: trained embeddings in front of the prompt's own.
///
///     prompt_embeddings    [tokens, hidden]
///     base_model.<module>  modules_to_save
///
/// P-tuning's LSTM or MLP and CPT's projection made them in training; PEFT saves their result.
///
/// **Source**: prompt tuning, arXiv 2104.08691; P-tuning, arXiv 2103.10385; CPT, arXiv 2410.17222;
/// PEFT 0.21.
enum PromptTuning {
    static let tensorName = "prompt_embeddings"
    private static let trainingOnly: Set<String> = [
        "num_layers", "num_attention_heads", "encoder_dropout", "encoder_hidden_size",
        "encoder_num_layers", "encoder_reparameterization_type", "prompt_tuning_init",
        "prompt_tuning_init_text", "prompt_tuning_init_state_dict_path", "tokenizer_kwargs",
        "tokenizer_name_or_path", "cpt_mask", "cpt_prompt_init", "cpt_token_ids",
        "cpt_tokens_type_mask", "opt_loss_decay_factor", "opt_projection_epsilon",
        "opt_projection_format_epsilon", "opt_weighted_loss_type",
    ]

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let shape = try PromptShape(&configuration, base: context.base)
        var compiler = try PromptModules.compiler(
            file, &configuration, method: "prompt tuning", names: [tensorName], in: context)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: trainingOnly, strict: context.options.strict)
        let rows = try compiler.floats(
            named: tensorName, shape: shape.dimensions, reason: shape.reason)
        try compiler.addSoftPrompt(rows)
        return compiler.result(warnings: warnings)
    }
}

/// How many tokens a soft prompt has, checked against the base.
struct PromptShape {
    let tokenCount: Int
    let hiddenSize: Int

    init(_ configuration: inout AdapterConfiguration, base: BaseModel) throws(AdapterError) {
        hiddenSize = base.slots.hiddenSize
        tokenCount = try configuration.count(
            "num_virtual_tokens", limit: base.configuration.maximumPositionCount - 1)
        let expected = [
            ("token_dim", hiddenSize, "the base's hidden size"),
            ("num_transformer_submodules", 1, "a decoder alone"),
        ]
        for (name, value, meaning) in expected {
            guard let found = try configuration.optionalCount(name, limit: 1 << 31), found != value
            else { continue }
            throw .invalidSetting(
                name, value: String(found), expected: "\(value), \(meaning)",
                file: configuration.file)
        }
    }

    var dimensions: [Int] { [tokenCount, hiddenSize] }

    var reason: String {
        "'num_virtual_tokens' is \(tokenCount), and the base's hidden size is \(hiddenSize)"
    }
}
