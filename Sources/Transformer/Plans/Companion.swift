/// A pass that an adapter wants over the same rows before the base's: through the base under
/// operators of its own, or through a small model of its own. What it leaves of a row is the row's
/// state, which the adapter's operators in the base's pass read.
///
/// Its keys and values lie in pages of their own beside the sequence's.
///
/// **Source**: X-LoRA, arXiv 2402.07148, section 2; ShadowPEFT in PEFT 0.21.
public final class Companion: Sendable {
    /// What the pass runs through; nil: the base.
    public let model: BaseModel?
    /// What acts in the pass, on that model's slots.
    public let operators: AdapterOperators
    /// From a row's last hidden state, after the last norm, to its state; nil: the hidden state.
    public let readout: RowMap?

    public init(
        model: BaseModel? = nil, operators: AdapterOperators = AdapterOperators(),
        readout: RowMap?
    ) {
        self.model = model
        self.operators = operators
        self.readout = readout
    }
}

/// A companion, resolved against slots.
struct PlanCompanion: Sendable {
    let model: BaseModel?
    let plan: AdapterPlan
    let readout: RowMap?
    /// Values of a row's state.
    let stateWidth: Int

    /// - Throws: as `AdapterPlan.init`.
    init(_ companion: Companion, name: String, slots: SlotTable) throws(CombinationError) {
        model = companion.model
        let slots = companion.model?.slots ?? slots
        plan = try AdapterPlan(
            [SelectedOperators(name: name, operators: companion.operators, weight: 1)],
            slots: slots)
        readout = companion.readout
        stateWidth = companion.readout?.outputCount ?? slots.hiddenSize
    }
}

extension BaseModel {
    /// A small model of the base's kind, in whose pass the base's tokens go.
    ///
    /// - Parameters:
    ///   - configuration: its own, from `DecoderSpec.resized`.
    ///   - weights: the head is never used.
    package static func companion(
        of base: BaseModel, _ configuration: DecoderSpec, _ weights: Weights, path: String
    ) -> BaseModel {
        BaseModel(
            configuration: configuration, configurationText: base.configurationText, path: path,
            tokenizer: nil, weights: weights, keyValueType: base.keyValueType)
    }

    /// Whether a token's keys and values in this model fit where the base's do.
    package func fitsPages(of base: BaseModel) -> Bool {
        KeyValuePagePool.pageByteCount(
            layerCount: configuration.layerCount, shape: attentionShape)
            <= KeyValuePagePool.pageByteCount(
                layerCount: base.configuration.layerCount, shape: base.attentionShape)
    }
}

extension DecoderSpec {
    /// The same kind of decoder in another size; all layers like the base's first.
    package func resized(
        layerCount: Int, hiddenSize: Int, intermediateSize: Int, queryHeadCount: Int,
        headDimension: Int
    ) -> DecoderSpec {
        let first = layers[0]
        let queryWidth = queryHeadCount * headDimension
        let keyValueWidth = first.attention.keyValueHeadCount * headDimension
        var layer = first
        layer.attention.queryHeadCount = queryHeadCount
        layer.attention.headDimension = headDimension
        layer.attention.scale = 1 / Float(headDimension).squareRoot()
        layer.attention.rotary?.dimension = headDimension
        layer.attention.output.shape = LinearShape(
            outputCount: hiddenSize, inputCount: queryWidth)
        if case .separate(var query, var key, var value) = layer.attention.projections {
            query.shape = LinearShape(outputCount: queryWidth, inputCount: hiddenSize)
            key.shape = LinearShape(outputCount: keyValueWidth, inputCount: hiddenSize)
            value.shape = key.shape
            layer.attention.projections = .separate(query: query, key: key, value: value)
        }
        layer.feedForward.width = intermediateSize
        layer.feedForward.down?.shape = LinearShape(
            outputCount: hiddenSize, inputCount: intermediateSize)
        if case .gated(var gate, var up) = layer.feedForward.inputs {
            gate.shape = LinearShape(outputCount: intermediateSize, inputCount: hiddenSize)
            up.shape = gate.shape
            layer.feedForward.inputs = .gated(gate: gate, up: up)
        }
        layer.attentionNorm?.width = hiddenSize
        layer.feedForwardNorm?.width = hiddenSize
        var finalNorm = finalNorm
        finalNorm.width = hiddenSize
        var head = head
        head.isTied = true
        return DecoderSpec(
            modelType: modelType, vocabularyCount: vocabularyCount, hiddenSize: hiddenSize,
            maximumPositionCount: maximumPositionCount, embedding: embedding,
            layers: (0..<layerCount).map { layer.numbered($0) },
            finalNorm: finalNorm, head: head)
    }

    /// Whether the blocks are Llama's: separate projections, a gate, a norm of rows before each
    /// part and none elsewhere, one part after the other, and nothing scaled or added on the way.
    package var hasPlainBlocks: Bool {
        layers.allSatisfy { layer in
            guard case .separate = layer.attention.projections,
                case .gated = layer.feedForward.inputs, !layer.isParallel,
                layer.residualScale == 1, layer.attention.softCap == nil,
                layer.norms.count == 2, layer.attentionNorm != nil, layer.feedForwardNorm != nil
            else { return false }
            return layer.norms.allSatisfy { $0.kind == .rms(offset: 0) && !$0.hasBias }
        } && embedding == EmbeddingSpec(name: embedding.name)
            && layers.allSatisfy { $0.name.hasPrefix("model.layers.") }
    }

    /// Whether PEFT and transformers repeat layers of the model: they look for them in one place,
    /// and choose a window by a layer's number.
    package var hasRepeatableLayers: Bool {
        layers.allSatisfy {
            $0.name.hasPrefix("model.layers.") && $0.attention.window == layers[0].attention.window
        }
    }

    /// Whether `resized` knows all that the layers have.
    package var canBeResized: Bool {
        let first = layers[0]
        guard case .separate = first.attention.projections, case .gated = first.feedForward.inputs,
            first.feedForward.experts == nil, first.norms.count == 2, first.attentionNorm != nil,
            first.feedForwardNorm != nil
        else { return false }
        return embedding == EmbeddingSpec(name: embedding.name)
            && layers.allSatisfy { $0.numbered(0) == first.numbered(0) }
    }
}
