import Kernels

/// One adapter of a selection, with its weight.
public struct SelectedOperators: Sendable {
    /// The adapter's name, for messages.
    public let name: String
    public let operators: AdapterOperators
    public let weight: Float

    public init(name: String, operators: AdapterOperators, weight: Float) {
        self.name = name
        self.operators = operators
        self.weight = weight
    }
}

/// A selection of adapters, resolved against the slots of the base: what the forward pass reads.
///
/// Rows that share one plan (the same instance) share each adapter product of a step. Low-rank
/// operators and biases of several adapters add up exactly; the order is that of the selection.
public final class AdapterPlan: Sendable {
    struct Linear: Sendable {
        var replacement: PackedMatrix?
        /// The bias that goes with `replacement`; ignored without one.
        var replacementBias: [Float]?
        /// Outputs behind those of the base's matrix: a head's further tokens.
        var extraOutputs: PackedMatrix?
        /// Factors with scaling · weight folded into `scaling`.
        var lowRanks: [LowRankOperator] = []
        /// Whole matrices that act beside the base's, with their weights.
        var dense: [(matrix: PackedMatrix, weight: Float)] = []
        /// The sum of all bias differences, [outputCount].
        var bias: [Float]?
        /// In order of application within their place.
        var maps: [PlacedMap] = []
    }

    /// A map of rows, where it attaches, and its weight.
    struct PlacedMap: Sendable {
        enum Place: UInt8, Sendable { case input, output, update }
        let place: Place
        let map: RowMap
        let weight: Float
        /// The adapter's name, for messages.
        let owner: String
    }

    /// h += B rows[token], scaled.
    struct EmbeddingLowRank: Sendable {
        let rows: [Float]
        let b: PackedMatrix
        let scaling: Float
    }

    struct Embedding: Sendable {
        var replacement: PackedMatrix?
        var lowRanks: [EmbeddingLowRank] = []
        /// What the table's rows are multiplied with before it is added.
        var products: [EmbeddingLowRank] = []
        /// Changes of every row, with their weights.
        var maps: [(map: RowMap, weight: Float)] = []
        var rows: [EmbeddingRows] = []
        /// Rows of all soft prompts, in order, flat.
        var softPrompt: [Float] = []
    }

    /// What chosen tokens' rows are more than the table's.
    struct EmbeddingRows: Sendable {
        /// From token to its place in `differences`.
        let places: [Int32: Int]
        let differences: [Float]
        let weight: Float
    }

    /// What a layer's attention is added for all rows.
    struct Gate: Sendable {
        let prefix: GatedPrefix
        let weight: Float
    }

    /// What the views point to.
    private let linear: [Linear?]
    /// What acts at linear slots and norms.
    let views: PlanViews
    let embedding: Embedding?
    /// Shared read-only pages in front of the sequence.
    public let prefix: PrefixKeyValues?
    /// What the views point to.
    private let bottlenecks: [SublayerSlot: Bottleneck]
    /// By layer; empty where no layer has any.
    private let gates: [Int: [Gate]]
    /// By layer: what it and the states of rows do to each other.
    private let stateLayers: [Int: StateLayer]
    /// Tokens of soft prompts: they are rows of the sequence, in front of its own.
    public let softPromptTokenCount: Int
    /// Tokens that a sequence may have: the base's, unless an adapter resized the vocabulary.
    public let vocabularyCount: Int
    /// Embedding rows of tokens behind the base's, [tokens, hiddenSize].
    let addedEmbedding: PackedMatrix?
    /// The base with layers repeated that the plan's slots are of; nil: the base itself.
    public let repeatedBase: BaseModel?
    /// Layers that a sequence goes through, each with keys and values of its own.
    public let layerCount: Int
    /// Where in a sequence the plan begins to act, the base's before; nil: at its first token.
    public let activation: ActivationTokens?
    /// What acts on the tokens before `activation`; nil: the base.
    public let earlier: AdapterPlan?
    /// The pass that runs over the plan's rows before the base's; nil where there is none.
    let companion: PlanCompanion?
    /// True when the plan leaves every slot to the base.
    public let isBase: Bool

    deinit { views.deallocate() }

    /// Tokens of the prefix: the first prompt token stands at this position.
    public var prefixTokenCount: Int { prefix?.tokenCount ?? 0 }

    /// True where a pass of its own runs over the plan's rows first, and needs pages for itself.
    public var hasCompanion: Bool { companion != nil }

    /// True where a token's row depends on all rows of its slice: a prompt must be one slice, and
    /// each new token another, and keys and values are of use to their own sequence alone.
    public let readsWholeCalls: Bool

    /// Ids that stand for the soft prompts' tokens at the beginning of a sequence.
    public var softPromptTokens: [Int32] {
        (0..<Int32(softPromptTokenCount)).map { -1 - $0 }
    }

    /// The plan of a request that names no adapter.
    public static func base(_ slots: SlotTable) -> AdapterPlan {
        AdapterPlan(builder: PlanBuilder(slots: slots))
    }

    /// - Throws: `CombinationError` when the adapters' operators have no exact combination.
    public convenience init(
        _ parts: [SelectedOperators], slots: SlotTable
    ) throws(CombinationError) {
        let repeatedBase = parts.first?.operators.repeatedBase
        var builder = PlanBuilder(slots: repeatedBase?.slots ?? slots)
        builder.repeatedBase = repeatedBase
        for part in parts { try builder.add(part) }
        // An adapter with an activation stands alone.
        let earlier = parts.first?.operators.beforeActivation
        self.init(
            builder: builder,
            earlier: try earlier.map { (operators) throws(CombinationError) in
                try AdapterPlan(
                    [
                        SelectedOperators(
                            name: parts[0].name, operators: operators, weight: parts[0].weight)
                    ], slots: slots)
            })
    }

    private init(builder: PlanBuilder, earlier: AdapterPlan? = nil) {
        self.earlier = earlier
        linear = builder.linear
        views = PlanViews(
            linear: builder.linear, gains: builder.gains, normBiases: builder.normBiases,
            gates: builder.gates,
            bottlenecks: builder.bottlenecksByIndex, stateLayers: builder.stateLayers,
            layerCount: builder.slots.layerCount)
        repeatedBase = builder.repeatedBase
        layerCount = builder.slots.layerCount
        gates = builder.gates
        stateLayers = builder.stateLayers
        bottlenecks = builder.bottlenecks
        softPromptTokenCount =
            (builder.embedding?.softPrompt.count ?? 0) / builder.slots.hiddenSize
        embedding = builder.embedding
        prefix = builder.prefix
        activation = builder.activation
        companion = builder.companion
        readsWholeCalls = builder.readsWholeCalls
        vocabularyCount = builder.vocabulary?.tokenCount ?? builder.slots.vocabularyCount
        addedEmbedding = builder.vocabulary?.embedding
        isBase =
            builder.linear.allSatisfy { $0 == nil } && builder.gains.allSatisfy { $0 == nil }
            && builder.normBiases.allSatisfy { $0 == nil }
            && builder.embedding == nil && prefix == nil && builder.gates.isEmpty
            && builder.vocabulary == nil && companion == nil
            && builder.bottlenecks.isEmpty && repeatedBase == nil
    }
}

/// Why adapters can't be used together, or at these weights.
public enum CombinationError: Error, Equatable, Sendable, CustomStringConvertible {
    case weightOfReplacement(adapter: String, weight: Float)
    case weightOfPrefix(adapter: String, weight: Float)
    case weightOfSoftPrompt(adapter: String, weight: Float)
    case twoReplacements(String, String, slot: String)
    case crossedMaps(input: String, output: String, slot: String)
    case twoBottlenecks(String, String, slot: String)
    case weightOfBottleneck(adapter: String, weight: Float)
    case activation(adapter: String, other: String)
    case alone(adapter: String, other: String)
    case twoVocabularies(String, String)
    case otherLayers(String, String)

    public var description: String {
        switch self {
        case .weightOfReplacement(let adapter, let weight):
            "adapter '\(adapter)' replaces whole weights (modules_to_save), which has a meaning at "
                + "weight 1 only; the request asks for \(weight): use weight 1 or another adapter"
        case .weightOfPrefix(let adapter, let weight):
            "adapter '\(adapter)' is a prefix, which has a meaning at weight 1 only; the request "
                + "asks for \(weight): use weight 1"
        case .weightOfSoftPrompt(let adapter, let weight):
            "adapter '\(adapter)' is a prompt of trained tokens, which has a meaning at weight 1 "
                + "only; the request asks for \(weight): use weight 1"
        case .twoReplacements(let first, let second, let slot):
            "adapters '\(first)' and '\(second)' both replace \(slot), and only one can stand "
                + "there: drop one of them"
        case .crossedMaps(let input, let output, let slot):
            "adapter '\(input)' changes the input of \(slot) and adapter '\(output)' its output, "
                + "and the two changes don't add up: drop one of them"
        case .twoBottlenecks(let first, let second, let slot):
            "adapters '\(first)' and '\(second)' both put a bottleneck behind \(slot), and which "
                + "comes first would change the answer: drop one of them"
        case .weightOfBottleneck(let adapter, let weight):
            "adapter '\(adapter)' is a bottleneck, which is not linear and has a meaning at weight 1 "
                + "only; the request asks for \(weight): use weight 1"
        case .twoVocabularies(let first, let second):
            "adapters '\(first)' and '\(second)' both change the number of tokens, and a request has "
                + "one vocabulary: drop one of them"
        case .otherLayers(let first, let second):
            "adapters '\(first)' and '\(second)' were trained on different sequences of the base's "
                + "layers (layer_replication): use one of them alone"
        case .activation(let adapter, let other):
            "adapter '\(adapter)' acts from its invocation tokens on and was trained on the base's "
                + "keys and values before them, which '\(other)' would change: use it alone"
        case .alone(let adapter, let other):
            "adapter '\(adapter)' weighs its parts by what it sees of a sequence, which '\(other)' "
                + "would change: use it alone"
        }
    }
}
