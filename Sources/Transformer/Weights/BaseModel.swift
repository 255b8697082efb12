public import Checkpoints
public import Kernels

/// The frozen base: configuration and packed weights. Nothing writes to it after loading.
public final class BaseModel: Sendable {
    public let configuration: DecoderSpec
    /// Every place where an adapter can attach.
    public let slots: SlotTable
    /// The file or directory that it was read from.
    public let path: String
    /// The tokenizer's files, where the checkpoint carries them.
    public let tokenizer: TokenizerAssets?
    /// `config.json` as read or synthesised, in text.
    public let configurationText: String
    public let weights: Weights
    /// For each layer, which of the checkpoint's it is; nil: all of them, in order.
    public let layerOrder: [Int]?
    /// What keys and values are kept in.
    public let keyValueType: KeyValueType
    /// What the user should know of the checkpoint, for example keys that were ignored.
    public let warnings: [String]
    /// The weights as plain values.
    let views: PlanViews
    /// What the forward pass does with them.
    let steps: LayerSteps

    /// The base's tensors, packed for the kernels.
    public struct Weights: Sendable {
        /// Token embedding, [vocabularyCount, hiddenSize]; the same instance as the head's matrix
        /// where the two are tied.
        public let embedding: PackedMatrix
        /// By `SlotTable.index(of: LinearSlot)`.
        public let linear: [PackedMatrix]
        /// By `SlotTable.index(of: LinearSlot)`; nil where the base has no bias.
        public let biases: [[Float]?]
        /// By `SlotTable.index(of: NormSlot)`, as checkpoints store them.
        public let gains: [[Float]]
        /// By `SlotTable.index(of: NormSlot)`; nil where the norm has no bias.
        public let normBiases: [[Float]?]
        /// Rows of positions that are added to the embedding's, [positions, hiddenSize].
        let positions: PackedMatrix?
        /// By layer: the logits of query heads that join the softmax; empty where no layer has any.
        let sinks: [[Float]?]

        /// - Parameter normBiases: nil: no norm has a bias.
        package init(
            embedding: PackedMatrix, linear: [PackedMatrix], biases: [[Float]?], gains: [[Float]],
            normBiases: [[Float]?]? = nil, positions: PackedMatrix? = nil, sinks: [[Float]?] = []
        ) {
            self.embedding = embedding
            self.linear = linear
            self.biases = biases
            self.gains = gains
            self.normBiases = normBiases ?? gains.map { _ in nil }
            self.positions = positions
            self.sinks = sinks
        }

        /// The type that most of the bytes have.
        var type: WeightType {
            var byteCounts: [WeightType: Int] = [:]
            for matrix in linear { byteCounts[matrix.type, default: 0] += matrix.byteCount }
            return byteCounts.max { $0.value < $1.value }?.key ?? .f32
        }

        /// True where they have no more digits than bf16, so that what goes with them may be
        /// rounded to bf16 as well.
        fileprivate var areCoarse: Bool { type != .f32 && type != .f16 }
    }

    /// - Parameter keyValueType: nil: what goes with the weights.
    init(
        configuration: DecoderSpec, configurationText: String, path: String,
        tokenizer: TokenizerAssets?, weights: Weights, layerOrder: [Int]? = nil,
        rotaries: [RotarySpec]? = nil, keyValueType: KeyValueType? = nil, warnings: [String] = []
    ) {
        self.configuration = configuration
        self.configurationText = configurationText
        self.path = path
        self.tokenizer = tokenizer
        self.weights = weights
        self.layerOrder = layerOrder
        self.warnings = warnings
        hasCoarseWeights = weights.areCoarse
        self.keyValueType = keyValueType ?? (hasCoarseWeights ? .bf16 : .f32)
        let slots = SlotTable(configuration)
        self.slots = slots
        views = PlanViews(
            linear: zip(weights.linear, weights.biases).map {
                AdapterPlan.Linear(replacement: $0, replacementBias: $1)
            },
            gains: weights.gains.enumerated().map {
                slots.effectiveGain($1, at: NormSlot(index: $0))
            }, normBiases: weights.normBiases)
        steps = LayerSteps(configuration, slots, sinks: weights.sinks, rotaries: rotaries)
    }

    deinit { views.deallocate() }

    /// The base's matrix at a slot, [outputCount, inputCount].
    public func matrix(at slot: LinearSlot) -> PackedMatrix {
        weights.linear[slots.index(of: slot)]
    }

    /// The base's bias at a slot, [outputCount]; nil where it has none.
    public func bias(at slot: LinearSlot) -> [Float]? {
        weights.biases[slots.index(of: slot)]
    }

    /// The base's gain at a norm, as checkpoints store it.
    public func gain(at slot: NormSlot) -> [Float] {
        weights.gains[slots.index(of: slot)]
    }

    /// The base's bias at a norm; nil where it has none.
    public func bias(at slot: NormSlot) -> [Float]? {
        weights.normBiases[slots.index(of: slot)]
    }

    /// The logits of a layer's query heads that join the softmax; nil where it has none.
    package func sinks(ofLayer layer: Int) -> [Float]? {
        layer < weights.sinks.count ? weights.sinks[layer] : nil
    }

    /// The type that most of the weights' bytes have.
    public var weightType: WeightType { weights.type }

    /// True where most weights are bf16 or rounded to blocks: what goes with them may be rounded to
    /// bf16.
    public let hasCoarseWeights: Bool

    /// True where most weights are rounded to blocks of 8 or 4 bits.
    public var hasBlockWeights: Bool { weights.type.blockElementCount > 1 }

    /// Bytes of all packed weights.
    public var weightByteCount: Int {
        var seen: Set<ObjectIdentifier> = []
        return (weights.linear + [weights.embedding]).reduce(0) { sum, matrix in
            seen.insert(ObjectIdentifier(matrix)).inserted ? sum + matrix.byteCount : sum
        }
    }

    /// The table of positions in f32, [positions, hiddenSize]; empty where the base has none.
    package func positionRows(pool: WorkerPool) -> AlignedBuffer<Float> {
        guard let table = weights.positions else { return AlignedBuffer(count: 0) }
        let rows = AlignedBuffer<Float>(count: table.outputCount * table.inputCount)
        table.unpack(into: rows.pointer, pool: pool)
        return rows
    }

    /// How keys and values are laid out in cache pages.
    public var attentionShape: AttentionShape {
        AttentionShape(
            queryHeadCount: configuration.queryHeadCount,
            keyValueHeadCount: configuration.keyValueHeadCount,
            headDimension: configuration.headDimension,
            scale: configuration.layers[0].attention.scale, keyValueType: keyValueType)
    }
}
