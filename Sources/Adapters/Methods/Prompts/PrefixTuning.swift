internal import Kernels
internal import StrictJSON
internal import Transformer

/// Prefix tuning as PEFT saves it: the finished keys and values of every layer.
///
///     prompt_embeddings [tokens, layers · 2 · kvHeads · headDimension]
///                     = [tokens, layer, key | value, kvHead, headDimension]
///     base_model.<module>   modules_to_save
///
/// With `prefix_projection` a small network made them in training; PEFT saves its result, not it.
///
/// Cartridges have the same form; which tokens were frozen in training doesn't matter.
///
/// **Source**: prefix tuning, arXiv 2101.00190; cartridges, arXiv 2506.06266; PEFT 0.21.
enum PrefixTuning {
    static let peftType = "PREFIX_TUNING"
    /// Where the sequence's first token stands, which PEFT has behind the prefix; a setting that
    /// other libraries' prefixes are said with.
    static let positionSetting = "prompt_position_offset"
    private static let tensorName = "prompt_embeddings"
    private static let trainingOnly: Set<String> = [
        "encoder_hidden_size", "init_weights", "num_attention_heads", "num_frozen_tokens",
        "prefix_projection", "token_dim",
    ]

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let base = context.base
        let tokenCount = try tokenCount(&configuration, base: base)
        try checkShapeSettings(&configuration, base: base)
        let firstPosition = try firstPosition(&configuration, tokenCount: tokenCount)
        var compiler = try PromptModules.compiler(
            file, &configuration, method: "prefix tuning", names: [tensorName], in: context)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: trainingOnly, strict: context.options.strict)
        var values = try values(&compiler, tokenCount: tokenCount)
        try compiler.compileSaved()
        if firstPosition < tokenCount {
            // Only distances between positions matter.
            base.turnKeys(of: &values, tokenCount: tokenCount, by: tokenCount - firstPosition)
        }
        compiler.operators.prefix = PrefixKeyValues(
            values: values, tokenCount: tokenCount, layerCount: base.slots.layerCount,
            shape: base.attentionShape)
        return compiler.result(warnings: warnings)
    }

    private static func tokenCount(
        _ configuration: inout AdapterConfiguration, base: BaseModel
    ) throws(AdapterError) -> Int {
        let limit = base.configuration.maximumPositionCount - 1
        return try configuration.count("num_virtual_tokens", limit: limit)
    }

    private static func firstPosition(
        _ configuration: inout AdapterConfiguration, tokenCount: Int
    ) throws(AdapterError) -> Int {
        guard let value = configuration.value(positionSetting) else { return tokenCount }
        guard let position = value.intValue, (0...tokenCount).contains(position) else {
            throw configuration.invalid(
                positionSetting, value, expected: "a whole number from 0 to \(tokenCount)")
        }
        return position
    }

    /// What the configuration says about the base must be true of this one. Of heads and their
    /// width PEFT asks the base itself, whatever `num_attention_heads` and `token_dim` say.
    private static func checkShapeSettings(
        _ configuration: inout AdapterConfiguration, base: BaseModel
    ) throws(AdapterError) {
        let expected = [
            ("num_layers", base.slots.layerCount, "the base's layers"),
            ("num_transformer_submodules", 1, "a decoder alone"),
        ]
        for (name, value, meaning) in expected {
            guard let found = try configuration.optionalCount(name, limit: 1 << 31) else {
                continue
            }
            guard found == value else {
                throw .invalidSetting(
                    name, value: String(found), expected: "\(value), \(meaning)",
                    file: configuration.file)
            }
        }
        _ = try configuration.flag("prefix_projection")
    }

    private static func values(
        _ compiler: inout TunerCompiler, tokenCount: Int
    ) throws(AdapterError) -> [Float] {
        let base = compiler.base
        let shape = base.configuration
        let width = base.slots.layerCount * 2 * shape.keyValueWidth
        // Of some bases PEFT makes, and transformers keeps, keys and values for every query head.
        let widest = base.slots.layerCount * 2 * shape.queryHeadCount * shape.headDimension
        if width != widest, compiler.tensors.sharedShape(tensorName) == [tokenCount, widest] {
            throw .wrongShape(
                tensor: tensorName, expected: [tokenCount, width], found: [tokenCount, widest],
                reason: "it has keys and values for each of \(shape.queryHeadCount) query heads, "
                    + "and the base has \(shape.keyValueHeadCount) heads of them, which query "
                    + "heads share", file: compiler.file)
        }
        return try compiler.floats(
            named: tensorName, shape: [tokenCount, width],
            reason: "'num_virtual_tokens' is \(tokenCount), and the base has "
                + "\(base.slots.layerCount) layers of keys and values of width "
                + "\(base.configuration.keyValueWidth)")
    }
}
