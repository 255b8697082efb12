internal import StrictJSON

// What becomes of each setting of a prefix encoder's configuration, which is often that of the
// whole model with a few settings more.
//
// **Source**: THUDM/P-tuning-v2, `arguments.py`, `model/prefix_encoder.py`; ChatGLM-6B,
// `configuration_chatglm.py`.
extension PrefixEncoder {
    static let table = SettingTable(
        title: "P-tuning v2's prefix encoders",
        entries: [
            .init("pre_seq_len", .held), .init("prompt_position_offset", .held),
            .init("prefix_projection", .held), .init("prefix_hidden_size", .held),
            .init("rotary_on_prefix_keys", .held), .init("layout", .held),
        ]
            + claims.map { .init($0.name, .held) }
            + [
                .init("format", .without("the tensors say what it is")),
                .init("prefix", .without("the tensors say what it is")),
                .init("hidden_dropout_prob", .without("it acts in training")),
            ])

    /// Beside `model_type`, every other setting is the base's own.
    private static let modelSetting = "model_type"

    /// Sizes of the base, as Hugging Face's configurations name them.
    private static let claims: [(name: String, measure: ForeignOrigin.Measure)] = [
        ("num_layers", .layerCount), ("kv_heads", .keyValueHeadCount),
        ("head_dim", .headDimension), ("num_hidden_layers", .layerCount),
        ("hidden_size", .hiddenSize),
        ("num_key_value_heads", .keyValueHeadCount),
        ("num_attention_heads", .queryHeadCount),
    ]

    /// The order of a row's values: the only one that the network makes.
    private static let layout =
        "[pre_seq_len, layers, 2 (key, value), kv_heads, head_dim]"

    static func origin(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> ForeignOrigin {
        var origin = ForeignOrigin(file: configuration.file)
        for (name, measure) in claims {
            guard let count = try configuration.optionalCount(name, limit: 1 << 31) else {
                continue
            }
            origin.claims.append(.init(name: name, meaning: .measure(measure, count)))
        }
        if let text = try configuration.text("layout"), text != layout {
            throw configuration.invalid(
                "layout", .string(text), expected: "\"\(layout)\", or no such setting")
        }
        if let type = try configuration.text(modelSetting), !type.isEmpty {
            origin.claims.append(.init(name: modelSetting, meaning: .modelType(type)))
        } else {
            origin.addUnknown(in: configuration.object, of: table)
        }
        return origin
    }
}
