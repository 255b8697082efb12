internal import Kernels
internal import Transformer

/// Prefix tuning as PEFT saves it: the finished keys and values of every layer.
///
///     prompt_embeddings [tokens, layers · 2 · kvHeads · headDimension]
///                     = [tokens, layer, key | value, kvHead, headDimension]
///
/// With `prefix_projection` a small network made them in training; PEFT saves its result, not it.
///
/// Cartridges have the same form; which tokens were frozen in training doesn't matter.
///
/// **Source**: prefix tuning, arXiv 2101.00190; cartridges, arXiv 2506.06266; PEFT 0.21.
enum PrefixTuning {
    private static let tensorName = "prompt_embeddings"
    private static let trainingOnly: Set<String> = [
        "encoder_hidden_size", "init_weights", "num_frozen_tokens", "prefix_projection",
    ]

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let base = context.base
        let tokenCount = try tokenCount(&configuration, base: base)
        try checkShapeSettings(&configuration, base: base)
        try UnknownSettings.refuse(
            [("modules_to_save", "modules saved beside a prefix can't be served yet")],
            in: &configuration)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: trainingOnly, strict: context.options.strict)
        let values = try values(file, tokenCount: tokenCount, base: base)
        var operators = AdapterOperators()
        operators.prefix = PrefixKeyValues(
            values: values, tokenCount: tokenCount, layerCount: base.slots.layerCount,
            shape: base.attentionShape)
        return CompiledAdapter(
            operators: operators, parameterCount: values.count, warnings: warnings,
            targets: TargetSummary.text(operators, slots: base.slots))
    }

    private static func tokenCount(
        _ configuration: inout AdapterConfiguration, base: BaseModel
    ) throws(AdapterError) -> Int {
        let limit = base.configuration.maximumPositionCount - 1
        return try configuration.count("num_virtual_tokens", limit: limit)
    }

    /// What the configuration says about the base must be true of this one.
    private static func checkShapeSettings(
        _ configuration: inout AdapterConfiguration, base: BaseModel
    ) throws(AdapterError) {
        let expected = [
            ("num_layers", base.slots.layerCount, "the base's layers"),
            (
                "num_attention_heads", base.configuration.keyValueHeadCount,
                "the base's key-value heads"
            ),
            (
                "token_dim", base.configuration.keyValueWidth,
                "the base's key-value heads times their dimension"
            ),
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
        _ file: AdapterFile, tokenCount: Int, base: BaseModel
    ) throws(AdapterError) -> [Float] {
        for tensor in file.tensors where tensor.name != tensorName {
            throw .unknownTensor(
                tensor.name, reason: "prefix tuning has one tensor, '\(tensorName)'",
                file: file.tensorFile)
        }
        guard let tensor = file.tensors.first else {
            throw .missingTensor(
                tensorName, reason: "prefix tuning consists of it", file: file.tensorFile)
        }
        let width = base.slots.layerCount * 2 * base.configuration.keyValueWidth
        guard tensor.shape == [tokenCount, width] else {
            let reason =
                tensor.shape.first == tokenCount
                ? "the base has \(base.slots.layerCount) layers of keys and values of width "
                    + "\(base.configuration.keyValueWidth)"
                : "'num_virtual_tokens' is \(tokenCount)"
            throw .wrongShape(
                tensor: tensor.name, expected: [tokenCount, width], found: tensor.shape,
                reason: reason, file: file.tensorFile)
        }
        return try tensor.floats(file: file.tensorFile)
    }
}
