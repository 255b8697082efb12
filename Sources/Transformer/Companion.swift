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
    ///   - configuration: its own, from `ModelConfiguration.resized`.
    ///   - weights: the head is never used.
    package static func companion(
        of base: BaseModel, _ configuration: ModelConfiguration, _ weights: Weights, path: String
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

extension ModelConfiguration {
    /// The same kind of decoder in another size.
    package func resized(
        layerCount: Int, hiddenSize: Int, intermediateSize: Int, queryHeadCount: Int,
        headDimension: Int
    ) -> ModelConfiguration {
        ModelConfiguration(
            modelType: modelType, vocabularyCount: vocabularyCount, hiddenSize: hiddenSize,
            intermediateSize: intermediateSize, layerCount: layerCount,
            queryHeadCount: queryHeadCount, keyValueHeadCount: keyValueHeadCount,
            headDimension: headDimension, normEpsilon: normEpsilon, rotary: rotary,
            maximumPositionCount: maximumPositionCount, attentionWindow: attentionWindow,
            tiesHeadToEmbedding: true, biases: biases)
    }
}
