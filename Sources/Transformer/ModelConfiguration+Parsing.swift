internal import Checkpoints
package import StrictJSON

extension ModelConfiguration {
    /// Reads a `config.json`.
    ///
    /// - Parameters:
    ///   - object: the file's object, as Hugging Face writes it.
    ///   - file: its name, for messages.
    /// - Throws: `TransformerError.missingSetting`, `.invalidSetting` or `.unsupportedSetting`.
    package init(_ object: JSONObject, file: String) throws(TransformerError) {
        let reader = SettingReader(object: object, file: file)
        if let (name, value, entry) = ConfigurationKeys.table.firstRefused(in: object) {
            throw .refusedSetting(
                name, value: reader.describe(value), reason: entry.note, file: file)
        }
        let family = try ModelFamily(reader)
        try Self.refuseUnsupported(reader)
        modelType = family.rawValue
        vocabularyCount = try reader.count("vocab_size", limit: 1 << 24)
        hiddenSize = try reader.count("hidden_size", limit: 1 << 20)
        intermediateSize = try reader.count("intermediate_size", limit: 1 << 22)
        layerCount = try reader.count("num_hidden_layers", limit: 1 << 12)
        queryHeadCount = try reader.count("num_attention_heads", limit: 1 << 12)
        let keyValueHeads = KeyValueHeads(reader, family, queryHeadCount: queryHeadCount)
        keyValueHeadCount = try keyValueHeads.count()
        headDimension =
            try reader.optionalCount("head_dim", limit: 1 << 12) ?? hiddenSize / queryHeadCount
        normEpsilon = try reader.positive("rms_norm_eps", default: 1e-6)
        attentionWindow = try AttentionWindow(reader, family, layerCount: layerCount).size
        maximumPositionCount = try Self.positionCount(reader, family, window: attentionWindow)
        tiesHeadToEmbedding = try reader.flag("tie_word_embeddings", default: family.tiesByDefault)
        biases = try family.biases(reader)
        rotary = try RotaryConfiguration(
            reader, headDimension: headDimension,
            positionCount: Self.positionCount(reader, family, window: nil))
        try checkHeads(reader)
    }

    /// - Throws: `TransformerError.invalidSetting` where a number of heads that isn't stated is
    ///   another than the weights'.
    func checkKeyValueHeads(_ checkpoint: BaseCheckpoint) throws(TransformerError) {
        let reader = SettingReader(
            object: checkpoint.configuration, file: checkpoint.tensors.path)
        try KeyValueHeads(
            reader, try ModelFamily(reader), queryHeadCount: queryHeadCount
        ).check(checkpoint.tensors, self)
    }

    private func checkHeads(_ reader: SettingReader) throws(TransformerError) {
        guard headDimension > 0, headDimension % 2 == 0 else {
            throw reader.invalid(
                "head_dim", "\(headDimension)",
                expected: "an even number (hidden_size / num_attention_heads where absent)")
        }
    }

    /// What a user should know of a `config.json` that is read.
    package static func warnings(_ object: JSONObject, file: String) -> [String] {
        let reader = SettingReader(object: object, file: file)
        var warnings = [
            ConfigurationKeys.table.warning(aboutUnknown: object.keys, path: file)
        ].compactMap(\.self)
        if let configuration = try? ModelConfiguration(object, file: file),
            let window = configuration.attentionWindow,
            window < (reader.present("max_position_embeddings")?.intValue ?? .max)
        {
            warnings.append(
                "\(file): the context is \(window) tokens, over which the model's attention "
                    + "slides: attention over a window is not served yet")
        }
        if let warning = try? RotaryConfiguration.warning(reader) { warnings.append(warning) }
        return warnings
    }

    private static func positionCount(
        _ reader: SettingReader, _ family: ModelFamily, window: Int?
    ) throws(TransformerError) -> Int {
        let positions =
            try reader.optionalCount("max_position_embeddings", limit: 1 << 30)
            ?? family.defaultPositionCount
        return min(positions, window ?? positions)
    }

    private static func refuseUnsupported(_ reader: SettingReader) throws(TransformerError) {
        if let activation = try reader.optionalText("hidden_act"),
            activation != "silu", activation != "swish"
        {
            throw reader.unsupported("hidden_act", activation, supported: "silu")
        }
    }
}

/// The members of the Llama family, told apart by `model_type`.
enum ModelFamily: String, CaseIterable {
    case llama, mistral, qwen2

    init(_ reader: SettingReader) throws(TransformerError) {
        guard let name = try reader.optionalText("model_type") else {
            throw .missingSetting("model_type", file: reader.file)
        }
        guard let family = ModelFamily(rawValue: name) else {
            let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw reader.unsupported("model_type", name, supported: known)
        }
        self = family
    }

    var tiesByDefault: Bool { false }

    /// `max_position_embeddings` where it is absent, as transformers has it.
    var defaultPositionCount: Int {
        switch self {
        case .llama: 2048
        case .mistral: 131_072
        case .qwen2: 32_768
        }
    }

    /// Mistral has no biases; Qwen2 always has them on queries, keys and values; Llama says.
    func biases(
        _ reader: SettingReader
    ) throws(TransformerError) -> ModelConfiguration.LinearBiases {
        switch self {
        case .mistral:
            return .init(queryKeyValue: false, attentionOutput: false, feedForward: false)
        case .qwen2:
            return .init(queryKeyValue: true, attentionOutput: false, feedForward: false)
        case .llama:
            let attention = try reader.flag("attention_bias", default: false)
            let feedForward = try reader.flag("mlp_bias", default: false)
            return .init(
                queryKeyValue: attention, attentionOutput: attention, feedForward: feedForward)
        }
    }
}
