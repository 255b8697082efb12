public import Kernels

/// y += scaling · o ⊙ B (i ⊙ A x): the low-rank update of a linear layer.
///
/// **Shape**: A [rank, inputCount], B [outputCount, rank].
/// **Source**: LoRA, arXiv 2106.09685, section 4.1.
public struct LowRankOperator: Sendable {
    public let a: RowMatrix
    public let b: PackedMatrix
    public let scaling: Float
    /// o and i; nil where they are 1.
    public let factors: FeatureFactors?

    public init(a: RowMatrix, b: PackedMatrix, scaling: Float, factors: FeatureFactors? = nil) {
        precondition(a.outputCount == b.inputCount)
        self.a = a
        self.b = b
        self.scaling = scaling
        self.factors = factors
    }

    /// The operator with its scaling times a weight.
    func weighted(_ weight: Float) -> LowRankOperator {
        LowRankOperator(a: a, b: b, scaling: scaling * weight, factors: factors)
    }

    public var rank: Int { a.outputCount }
}

/// What an adapter may do to a linear layer y = W x + b.
public enum LinearOperator: Sendable {
    case lowRank(LowRankOperator)
    /// y += D x, where no smaller form is exact. **Shape**: [outputCount, inputCount].
    case dense(PackedMatrix)
    /// y += M x
    case update(RowMap)
    /// y += W M x: a change of the input.
    case input(RowMap)
    /// y += M W x: a change of the output, before its bias.
    case output(RowMap)
    /// Added to the output; the difference to the base's own bias. **Shape**: [outputCount].
    case bias([Float])
    /// Stands in place of the base's matrix and bias.
    /// **Shape**: matrix [outputCount, inputCount]; a head has a row for each token of the
    /// vocabulary.
    case replacement(PackedMatrix, bias: [Float]?)

    /// The map of rows, where it is one.
    var map: RowMap? {
        switch self {
        case .update(let map), .input(let map), .output(let map): map
        case .lowRank, .dense, .bias, .replacement: nil
        }
    }
}

/// What an adapter may do to a norm.
public enum NormOperator: Sendable {
    /// Stands in place of the base's gain, as checkpoints store it. **Shape**: [width of the norm].
    case gain([Float])
}

/// What an adapter may do to the token embedding.
public enum EmbeddingOperator: Sendable {
    /// h += scaling · B a[token].
    /// **Shape**: `rows` [vocabularyCount, rank], one row a token; `b` [hiddenSize, rank].
    case lowRank(rows: [Float], b: PackedMatrix, scaling: Float)
    /// h += (B a[token]) ⊙ (the table's row).
    /// **Shape**: `rows` [vocabularyCount, rank], one row a token; `b` [hiddenSize, rank].
    case product(rows: [Float], b: PackedMatrix)
    /// h += M (the table's row): a change of every row.
    case output(RowMap)
    /// What chosen tokens' rows are more than the table's.
    /// **Shape**: `differences` [tokens.count, hiddenSize].
    case rows(tokens: [Int32], differences: [Float])
    /// Rows of tokens that stand in front of every sequence and have no ids: their places in it are
    /// named by negative ids. **Shape**: [tokenCount, hiddenSize].
    case softPrompt([Float])
    /// Stands in place of the base's table.
    /// **Shape**: [tokens of the vocabulary, hiddenSize].
    case replacement(PackedMatrix)
}

/// What an adapter that is switched on within a sequence does from the first token on.
public struct EarlierOperators: Sendable {
    public var linear: [LinearSlot: [LinearOperator]] = [:]
    public var norms: [NormSlot: NormOperator] = [:]
    public var normBiases: [NormSlot: [Float]] = [:]
    public var embedding: [EmbeddingOperator] = []

    public init() {}

    public var isEmpty: Bool {
        linear.isEmpty && norms.isEmpty && normBiases.isEmpty && embedding.isEmpty
    }
}

/// An adapter, compiled: what it does at each slot of the base.
///
/// The forward pass, merging and the batcher know only this; no method's name appears in it.
public struct AdapterOperators: Sendable {
    /// In order of application.
    public var linear: [LinearSlot: [LinearOperator]] = [:]
    public var norms: [NormSlot: NormOperator] = [:]
    /// What stands in place of norms' biases. **Shape**: [width of the norm].
    public var normBiases: [NormSlot: [Float]] = [:]
    public var embedding: [EmbeddingOperator] = []
    /// By layer: what its attention is added apart from the sequence's own.
    public var gatedPrefixes: [Int: GatedPrefix] = [:]
    /// What changes that which a sublayer adds to the residual stream.
    public var bottlenecks: [SublayerSlot: Bottleneck] = [:]
    /// Keys and values in front of every sequence.
    public var prefix: PrefixKeyValues?
    /// A number of tokens of its own.
    public var vocabulary: ResizedVocabulary?
    /// Where in a sequence all of this begins to act; nil: at its first token.
    public var activation: ActivationTokens?
    /// Of `linear`, `norms` and `embedding`, what acts on the tokens before `activation` as well.
    public var earlier = EarlierOperators()
    /// A pass of its own over the same rows, whose states maps of rows and layers read.
    public var companion: Companion?
    /// By decoder block: what it and the companion's states do to each other.
    public var stateLayers: [Int: StateLayer] = [:]

    /// The base with layers repeated, which all slots are of; nil: the base itself.
    public var repeatedBase: BaseModel?

    public init() {}

    /// What acts on the tokens before `activation`: the tables of another vocabulary, repeated
    /// layers, trained tokens, and modules and biases that were trained whole are the model's own.
    /// Nil where that is the base alone.
    var beforeActivation: AdapterOperators? {
        guard activation != nil, vocabulary != nil || repeatedBase != nil || !earlier.isEmpty else {
            return nil
        }
        var operators = AdapterOperators()
        operators.linear = earlier.linear
        operators.norms = earlier.norms
        operators.normBiases = earlier.normBiases
        operators.embedding = earlier.embedding
        operators.vocabulary = vocabulary
        operators.repeatedBase = repeatedBase
        return operators
    }

    /// True when some linear slot changes in a way that isn't the same for all rows.
    public var dependsOnRows: Bool {
        companion != nil
            || linear.values.joined().contains { $0.map.map { !$0.isLinear } ?? false }
    }

    /// True when what it does to a token depends on all tokens that are computed with it, so that a
    /// prompt must be computed at once, and each new token alone.
    public var readsWholeCalls: Bool {
        linear.values.joined().contains { $0.map?.router != nil }
    }

    /// True when some operator stands in place of a base weight, which has no meaning at a weight
    /// other than 1.
    public var replacesWeights: Bool {
        !norms.isEmpty || !normBiases.isEmpty
            || embedding.contains {
                if case .replacement = $0 { true } else { false }
            }
            || linear.values.joined().contains {
                if case .replacement = $0 { true } else { false }
            }
    }
}
