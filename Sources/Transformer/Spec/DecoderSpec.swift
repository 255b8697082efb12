package import Checkpoints

/// What a decoder is made of, as data: an architecture's file makes it from a configuration, and
/// slots, weights and the forward pass follow from it alone.
public struct DecoderSpec: Equatable, Sendable {
    /// `model_type`, as Hugging Face spells it.
    public let modelType: String
    public let vocabularyCount: Int
    public let hiddenSize: Int
    /// Positions that the model was made for.
    public let maximumPositionCount: Int
    public let embedding: EmbeddingSpec
    public internal(set) var layers: [LayerSpec]
    public let finalNorm: NormSpec
    public internal(set) var head: HeadSpec
    /// Endings of names of tensors that nothing is read from.
    var idleTensorEndings: [String] = []

    public var layerCount: Int { layers.count }

    /// True where one table is both embedding and head. A checkpoint that has two has two, whatever
    /// its configuration says.
    public internal(set) var tiesHeadToEmbedding: Bool {
        get { head.isTied }
        set { head.isTied = newValue }
    }

    /// All layers have the same heads.
    private var attention: AttentionSpec { layers[0].attention }
    public var queryHeadCount: Int { attention.queryHeadCount }
    /// Heads that keys and values have; each serves queryHeadCount / keyValueHeadCount query heads.
    public var keyValueHeadCount: Int { attention.keyValueHeadCount }
    public var headDimension: Int { attention.headDimension }
    public var keyValueWidth: Int { attention.keyValueWidth }
    /// The widest feed-forward part that all rows go through.
    var widestFeedForward: Int { layers.reduce(0) { max($0, $1.feedForward.width) } }
    /// Width of the first layer's feed-forward part.
    public var intermediateSize: Int { layers[0].feedForward.width }
    /// The epsilon of the last norm.
    public var normEpsilon: Float { finalNorm.epsilon }

    /// The order of each slot's rows in a checkpoint that has another than Hugging Face's.
    package func storedRowOrders(
        _ slots: SlotTable, _ layout: StoredLayout
    ) -> [LinearSlot: RowOrder] {
        guard layout.movesRows else { return [:] }
        var orders: [LinearSlot: RowOrder] = [:]
        for (layer, own) in zip(layers, slots.layers) {
            let attention = layer.attention
            if layout.queryKeyRowsArePermuted, let separate = own.separate {
                orders[separate.query] = attention.pairOrder(\.queryHeadCount)
                orders[separate.key] = attention.pairOrder(\.keyValueHeadCount)
            }
            if layout.groupsAreBlocks, let fused = own.fused {
                orders[fused] = attention.blockOrder
            }
        }
        return orders
    }

    /// Tensors that follow from the configuration, which older checkpoints carry.
    func isIdle(tensor name: String) -> Bool {
        name.hasSuffix("rotary_emb.inv_freq") || idleTensorEndings.contains(where: name.hasSuffix)
    }

    /// Outputs of the widest module that makes several things at once; 0 where none does.
    var fusedWidth: Int {
        layers.reduce(0) { width, layer in
            var width = width
            if case .fused(let linear, _) = layer.attention.projections {
                width = max(width, linear.shape.outputCount)
            }
            switch layer.feedForward.inputs {
            case .fusedGated(let linear), .interleavedGated(let linear):
                width = max(width, linear.shape.outputCount)
            case .gated, .plain, nil: break
            }
            return width
        }
    }

    /// Whether positions turn the heads of both alike, layer by layer.
    package func rotates(like other: DecoderSpec) -> Bool {
        layers.count == other.layers.count
            && zip(layers, other.layers).allSatisfy { own, its in
                switch (own.attention.rotary, its.attention.rotary) {
                case (nil, nil): true
                case (let own?, let its?): own.rotates(like: its)
                default: false
                }
            }
    }
}

/// The table of tokens, and what happens to its rows before the first layer.
public struct EmbeddingSpec: Equatable, Sendable {
    /// The module's full name.
    public let name: String
    /// Factor on every row.
    public var scale: Float = 1
    /// Whether rows of trained prompts have the factor too.
    public var scalesPrompts = false
    /// Trained rows of positions, which are added.
    public var positions: PositionTableSpec?
    /// Acts on the rows before the first layer.
    public var norm: NormSpec?

    /// The factor that the module itself has; others follow behind it, and act on prompts too.
    package var moduleScale: Float { scalesPrompts ? 1 : scale }

    init(
        name: String, scale: Float = 1, scalesPrompts: Bool = false,
        positions: PositionTableSpec? = nil, norm: NormSpec? = nil
    ) {
        self.name = name
        self.scale = scale
        self.scalesPrompts = scalesPrompts
        self.positions = positions
        self.norm = norm
    }
}

/// A table with a row for each position.
public struct PositionTableSpec: Equatable, Sendable {
    /// The module's full name.
    public let name: String
    /// Rows of the table.
    public let count: Int
    /// The row of the first token.
    public let offset: Int
}

/// From the last hidden states to logits.
public struct HeadSpec: Equatable, Sendable {
    /// The module's full name.
    public let name: String
    public internal(set) var isTied: Bool
    /// Another full name, by which newer releases of transformers have the module.
    public var otherName: String?
    public var hasBias = false
    /// Factor on the logits.
    public var scale: Float = 1
    /// Logits become cap · tanh(logit / cap).
    public var softCap: Float?

    init(
        name: String, isTied: Bool, otherName: String? = nil, hasBias: Bool = false,
        scale: Float = 1, softCap: Float? = nil
    ) {
        self.name = name
        self.otherName = otherName
        self.isTied = isTied
        self.hasBias = hasBias
        self.scale = scale
        self.softCap = softCap
    }
}

/// A linear module of a layer.
public struct LinearSpec: Equatable, Sendable {
    /// Within the layer, for example `self_attn.q_proj`.
    public let name: String
    public internal(set) var shape: LinearShape
    public let hasBias: Bool
    /// True where checkpoints store the matrix as [inputCount, outputCount], as `Conv1D` does.
    public let isTransposed: Bool
    /// Where the matrix lies among those of all experts, where a checkpoint has one tensor for
    /// them.
    public var stacked: StackedTensor?

    init(
        _ name: String, outputCount: Int, inputCount: Int, hasBias: Bool = false,
        isTransposed: Bool = false
    ) {
        self.name = name
        shape = LinearShape(outputCount: outputCount, inputCount: inputCount)
        self.hasBias = hasBias
        self.isTransposed = isTransposed
    }
}

/// A norm of rows, or of heads.
public struct NormSpec: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// x / √(mean(x²) + ε) ⊙ (offset + gain). **Source**: arXiv 1910.07467.
        case rms(offset: Float)
        /// (x − mean) / √(variance + ε) ⊙ gain + bias. **Source**: arXiv 1607.06450.
        case layer
    }

    /// Within the layer, for example `input_layernorm`; outside of layers the full name.
    public let name: String
    public internal(set) var width: Int
    public let kind: Kind
    public let hasBias: Bool
    public let epsilon: Float

    init(
        _ name: String, width: Int, kind: Kind = .rms(offset: 0), hasBias: Bool = false,
        epsilon: Float
    ) {
        self.name = name
        self.width = width
        self.kind = kind
        self.hasBias = hasBias
        self.epsilon = epsilon
    }

    /// What is added to the stored gain.
    var gainOffset: Float { if case .rms(let offset) = kind { offset } else { 0 } }
}
