internal import Kernels
internal import StrictJSON

/// The sizes that every decoder has, under the names that most give them.
struct DecoderSettings {
    /// The keys where an architecture has its own.
    struct Names {
        var hiddenSize = "hidden_size"
        var layerCount = "num_hidden_layers"
        var queryHeadCount = "num_attention_heads"
        var keyValueHeadCount: String? = "num_key_value_heads"
        var headDimension: String? = "head_dim"
        var positionCount = "max_position_embeddings"
    }

    let reader: SettingReader
    let modelType: String
    let vocabularyCount: Int
    let hiddenSize: Int
    let layerCount: Int
    let queryHeadCount: Int
    let keyValueHeadCount: Int
    let headDimension: Int
    /// As the file says.
    let statedPositionCount: Int

    /// - Parameters:
    ///   - positionCount: where the file doesn't say.
    ///   - keyValueHeadCount: where the file doesn't say; nil: as many as query heads.
    ///   - headDimension: where the file doesn't say; nil: hidden size by query heads.
    init(
        _ reader: SettingReader, positionCount: Int, keyValueHeadCount: Int? = nil,
        headDimension: Int? = nil, names: Names = Names()
    ) throws(TransformerError) {
        self.reader = reader
        modelType = try reader.optionalText("model_type") ?? ""
        vocabularyCount = try reader.count("vocab_size", limit: 1 << 24)
        hiddenSize = try reader.count(names.hiddenSize, limit: 1 << 20)
        layerCount = try reader.count(names.layerCount, limit: 1 << 12)
        queryHeadCount = try reader.count(names.queryHeadCount, limit: 1 << 12)
        let name = names.keyValueHeadCount
        // Null means as many as query heads, whatever the class.
        let isMissing = name.map { reader.object[$0] == nil } ?? true
        let stated =
            if let name { try reader.optionalCount(name, limit: 1 << 12) } else { nil as Int? }
        let keyValueHeads = stated ?? (isMissing ? keyValueHeadCount : nil) ?? queryHeadCount
        self.keyValueHeadCount = keyValueHeads
        var dimension = headDimension ?? hiddenSize / queryHeadCount
        if let name = names.headDimension,
            let stated = try reader.optionalCount(name, limit: 1 << 12)
        {
            dimension = stated
        }
        self.headDimension = dimension
        statedPositionCount =
            try reader.optionalCount(names.positionCount, limit: 1 << 30) ?? positionCount
        guard queryHeadCount % keyValueHeads == 0 else {
            throw reader.invalid(
                name ?? "num_key_value_heads",
                isMissing
                    ? "absent, which means \(keyValueHeads) for \(modelType)" : "\(keyValueHeads)",
                expected: "a divisor of \(names.queryHeadCount), \(queryHeadCount)")
        }
        guard dimension > 0, dimension % 2 == 0 else {
            throw reader.invalid(
                names.headDimension ?? "head_dim", "\(dimension)",
                expected: "an even number (\(names.hiddenSize) / \(names.queryHeadCount) where "
                    + "absent)")
        }
    }

    var queryWidth: Int { queryHeadCount * headDimension }
    var keyValueWidth: Int { keyValueHeadCount * headDimension }

    /// Positions that the model is served for.
    func positionCount() throws(TransformerError) -> Int {
        try RotarySpec.shortPositionCount(reader).map { min($0, statedPositionCount) }
            ?? statedPositionCount
    }

    func rotary(
        _ defaults: RotarySpec.Defaults = RotarySpec.Defaults()
    ) throws(TransformerError) -> RotarySpec {
        try RotarySpec(
            reader, headDimension: headDimension, positionCount: statedPositionCount, defaults)
    }

    func intermediateSize(_ name: String = "intermediate_size") throws(TransformerError) -> Int {
        try reader.count(name, limit: 1 << 22)
    }

    func isTied(default fallback: Bool = false) throws(TransformerError) -> Bool {
        try reader.flag("tie_word_embeddings", default: fallback)
    }

    /// Queries, keys and values of modules of their own.
    func separateProjections(
        _ name: String = "self_attn", hasBias: Bool = false
    ) -> QueryKeyValueSpec {
        func linear(_ part: String, _ outputCount: Int) -> LinearSpec {
            LinearSpec(
                "\(name).\(part)_proj", outputCount: outputCount, inputCount: hiddenSize,
                hasBias: hasBias)
        }
        return .separate(
            query: linear("q", queryWidth), key: linear("k", keyValueWidth),
            value: linear("v", keyValueWidth))
    }

    /// Attention of modules of their own, named as Llama's.
    func attention(
        hasBias: Bool = false, outputName: String = "o_proj", outputHasBias: Bool = false,
        rotary: RotarySpec?, scale: Float? = nil
    ) -> AttentionSpec {
        AttentionSpec(
            name: "self_attn", queryHeadCount: queryHeadCount,
            keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
            projections: separateProjections(hasBias: hasBias),
            output: LinearSpec(
                "self_attn.\(outputName)", outputCount: hiddenSize, inputCount: queryWidth,
                hasBias: outputHasBias),
            rotary: rotary, scale: scale)
    }

    /// A feed-forward part of gate, up and down, named as Llama's.
    func gatedFeedForward(
        width: Int, _ activation: Activation, hasBias: Bool = false
    ) -> FeedForwardSpec {
        func linear(_ part: String, _ outputCount: Int, _ inputCount: Int) -> LinearSpec {
            LinearSpec(
                "mlp.\(part)_proj", outputCount: outputCount, inputCount: inputCount,
                hasBias: hasBias)
        }
        return FeedForwardSpec(
            name: "mlp", width: width, activation: activation,
            inputs: .gated(
                gate: linear("gate", width, hiddenSize), up: linear("up", width, hiddenSize)),
            down: linear("down", hiddenSize, width))
    }

    /// The same with one module for gate and up.
    func fusedGatedFeedForward(width: Int, _ activation: Activation) -> FeedForwardSpec {
        FeedForwardSpec(
            name: "mlp", width: width, activation: activation,
            inputs: .fusedGated(
                LinearSpec("mlp.gate_up_proj", outputCount: 2 * width, inputCount: hiddenSize)),
            down: LinearSpec("mlp.down_proj", outputCount: hiddenSize, inputCount: width))
    }

    /// A feed-forward part without gate.
    ///
    /// - Parameter names: of its two modules within the layer.
    func plainFeedForward(
        width: Int, _ activation: Activation, names: (up: String, down: String),
        hasBias: Bool = true, isTransposed: Bool = false
    ) -> FeedForwardSpec {
        func linear(_ name: String, _ outputCount: Int, _ inputCount: Int) -> LinearSpec {
            LinearSpec(
                name, outputCount: outputCount, inputCount: inputCount, hasBias: hasBias,
                isTransposed: isTransposed)
        }
        return FeedForwardSpec(
            name: "mlp", width: width, activation: activation,
            inputs: .plain(linear(names.up, width, hiddenSize)),
            down: linear(names.down, hiddenSize, width))
    }

    /// A norm as wide as the hidden states, with a gain; a layer norm with a bias.
    func norm(
        _ name: String, _ kind: NormSpec.Kind = .rms(offset: 0), epsilon: Float
    ) -> NormSpec {
        NormSpec(name, width: hiddenSize, kind: kind, hasBias: kind == .layer, epsilon: epsilon)
    }

    /// The decoder around its layers, with the names that most have.
    ///
    /// - Parameters:
    ///   - stem: what layers' names begin with.
    ///   - layer: makes a layer of its name and number.
    func decoder(
        embedding: EmbeddingSpec = EmbeddingSpec(name: "model.embed_tokens"),
        layers stem: String = "model.layers", finalNorm: NormSpec, head: HeadSpec,
        positionCount: Int? = nil, layer: (String, Int) -> LayerSpec
    ) throws(TransformerError) -> DecoderSpec {
        let ownCount = try self.positionCount()
        return DecoderSpec(
            modelType: modelType, vocabularyCount: vocabularyCount, hiddenSize: hiddenSize,
            maximumPositionCount: positionCount ?? ownCount, embedding: embedding,
            layers: (0..<layerCount).map { layer("\(stem).\($0)", $0) }, finalNorm: finalNorm,
            head: head)
    }

    /// What `layer_types` says of each layer; nil where it is absent.
    ///
    /// - Returns: whether a layer has the window.
    func windowedLayers() throws(TransformerError) -> [Bool]? {
        guard let value = reader.present("layer_types") else { return nil }
        let names = value.arrayValue?.map(\.stringValue) ?? []
        guard names.count == layerCount, !names.contains(nil) else {
            throw reader.invalid(
                "layer_types", reader.describe(value), expected: "a list of \(layerCount) names")
        }
        var windowed: [Bool] = []
        for case let name? in names {
            switch name {
            case "full_attention", "attention": windowed.append(false)
            case "sliding_attention": windowed.append(true)
            default:
                throw reader.unsupported(
                    "layer_types", name, supported: "full_attention and sliding_attention")
            }
        }
        return windowed
    }

    /// The activation under this key, by transformers' name.
    func activation(
        _ name: String = "hidden_act", default fallback: String
    ) throws(TransformerError) -> Activation {
        let stated = try reader.optionalText(name) ?? fallback
        guard let activation = Activation(named: stated) else {
            throw reader.unsupported(
                name, stated, supported: Activation.namesByTransformers.joined(separator: ", "))
        }
        return activation
    }
}
