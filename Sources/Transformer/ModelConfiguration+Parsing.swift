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
        let family = try ModelFamily(reader)
        try Self.refuseUnsupported(reader)
        modelType = family.rawValue
        vocabularyCount = try reader.count("vocab_size", limit: 1 << 24)
        hiddenSize = try reader.count("hidden_size", limit: 1 << 20)
        intermediateSize = try reader.count("intermediate_size", limit: 1 << 22)
        layerCount = try reader.count("num_hidden_layers", limit: 1 << 12)
        queryHeadCount = try reader.count("num_attention_heads", limit: 1 << 12)
        keyValueHeadCount =
            try reader.optionalCount("num_key_value_heads", limit: 1 << 12) ?? queryHeadCount
        headDimension =
            try reader.optionalCount("head_dim", limit: 1 << 12) ?? hiddenSize / queryHeadCount
        normEpsilon = try reader.positive("rms_norm_eps", default: 1e-6)
        maximumPositionCount = try Self.positionCount(reader)
        tiesHeadToEmbedding = try reader.flag("tie_word_embeddings", default: family.tiesByDefault)
        biases = try family.biases(reader)
        rotary = try RotaryConfiguration(reader, headDimension: headDimension)
        try checkHeads(reader)
    }

    private func checkHeads(_ reader: SettingReader) throws(TransformerError) {
        guard queryHeadCount % keyValueHeadCount == 0 else {
            throw reader.invalid(
                "num_key_value_heads", "\(keyValueHeadCount)",
                expected: "a divisor of num_attention_heads, \(queryHeadCount)")
        }
        guard headDimension > 0, headDimension % 2 == 0 else {
            throw reader.invalid(
                "head_dim", "\(headDimension)",
                expected: "an even number (hidden_size / num_attention_heads where absent)")
        }
    }

    /// Within its window, sliding-window attention is full attention; so a context that never
    /// outgrows the window is answered exactly.
    private static func positionCount(_ reader: SettingReader) throws(TransformerError) -> Int {
        let positions = try reader.optionalCount("max_position_embeddings", limit: 1 << 30) ?? 2048
        guard try reader.flag("use_sliding_window", default: true),
            let window = try reader.optionalCount("sliding_window", limit: 1 << 30)
        else { return positions }
        return min(positions, window)
    }

    private static func refuseUnsupported(_ reader: SettingReader) throws(TransformerError) {
        if let activation = try reader.optionalText("hidden_act"),
            activation != "silu", activation != "swish"
        {
            throw reader.unsupported("hidden_act", activation, supported: "silu")
        }
        if !reader.isAbsent("quantization_config") {
            throw reader.unsupported(
                "quantization_config", "set",
                supported: "unquantised safetensors, and GGUF for quantised weights")
        }
        let partial = try reader.positive("partial_rotary_factor", default: 1)
        if partial != 1 {
            throw reader.unsupported("partial_rotary_factor", "\(partial)", supported: "1")
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
