public import Kernels

/// A decoder block: attention, then a feed-forward part, each added to the residual stream.
///
///     one after the other:  h += s · post(attention(pre(h)));  h += s · post(feedForward(pre(h)))
///     side by side:         h += s · attention(pre(h)) + s · feedForward(pre(h))
///
/// A norm that is nil does nothing; side by side, a feed-forward part without a norm of its own
/// takes attention's.
public struct LayerSpec: Equatable, Sendable {
    /// The block's full name, for example `model.layers.3`.
    public private(set) var name: String
    public internal(set) var attention: AttentionSpec
    public internal(set) var feedForward: FeedForwardSpec
    public internal(set) var attentionNorm: NormSpec?
    public internal(set) var attentionOutputNorm: NormSpec?
    public internal(set) var feedForwardNorm: NormSpec?
    public internal(set) var feedForwardOutputNorm: NormSpec?
    /// Whether both parts take the block's input.
    public let isParallel: Bool
    /// Factor on what is added to the residual stream.
    public let residualScale: Float

    init(
        name: String, attention: AttentionSpec, feedForward: FeedForwardSpec,
        attentionNorm: NormSpec? = nil, attentionOutputNorm: NormSpec? = nil,
        feedForwardNorm: NormSpec? = nil, feedForwardOutputNorm: NormSpec? = nil,
        isParallel: Bool = false, residualScale: Float = 1
    ) {
        self.name = name
        self.attention = attention
        self.feedForward = feedForward
        self.attentionNorm = attentionNorm
        self.attentionOutputNorm = attentionOutputNorm
        self.feedForwardNorm = feedForwardNorm
        self.feedForwardOutputNorm = feedForwardOutputNorm
        self.isParallel = isParallel
        self.residualScale = residualScale
    }

    /// The same block under another number.
    func numbered(_ number: Int) -> LayerSpec {
        var layer = self
        let stem = name.reversed().drop { $0.isNumber }.reversed()
        layer.name = String(stem) + String(number)
        return layer
    }

    /// In the order in which they act.
    var norms: [NormSpec] {
        [
            attentionNorm, attention.queryNorm, attention.keyNorm, attentionOutputNorm,
            feedForwardNorm, feedForwardOutputNorm,
        ].compactMap(\.self)
    }

    /// In the order in which they act.
    var linears: [LinearSpec] {
        attention.projections.linears + [attention.output]
            + (feedForward.inputs?.linears ?? []) + [feedForward.down].compactMap(\.self)
            + (feedForward.experts?.linears ?? [])
    }
}

/// Attention of a layer.
public struct AttentionSpec: Equatable, Sendable {
    /// The module's name within the layer, for example `self_attn`.
    public let name: String
    public internal(set) var queryHeadCount: Int
    public let keyValueHeadCount: Int
    public internal(set) var headDimension: Int
    public internal(set) var projections: QueryKeyValueSpec
    public internal(set) var output: LinearSpec
    /// Of one head (its width says so), or of all heads together.
    public var queryNorm: NormSpec?
    public var keyNorm: NormSpec?
    /// Nil where positions don't turn heads.
    public internal(set) var rotary: RotarySpec?
    /// Factor on q·k.
    public internal(set) var scale: Float
    /// Tokens that a row sees, itself included; nil: all before it.
    public var window: Int?
    /// Scores become cap · tanh(score / cap).
    public var softCap: Float?
    /// Scores fall with the distance by a slope for each head, times this; nil: they do not.
    /// **Source**: ALiBi, arXiv 2108.12409.
    public var slopeScale: Float?
    /// The tensor, within the layer, with a logit for each query head that joins the softmax.
    public var sinks: String?

    init(
        name: String, queryHeadCount: Int, keyValueHeadCount: Int, headDimension: Int,
        projections: QueryKeyValueSpec, output: LinearSpec, rotary: RotarySpec?,
        scale: Float? = nil
    ) {
        self.name = name
        self.queryHeadCount = queryHeadCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headDimension = headDimension
        self.projections = projections
        self.output = output
        self.rotary = rotary
        self.scale = scale ?? 1 / Float(headDimension).squareRoot()
    }

    public var queryWidth: Int { queryHeadCount * headDimension }
    public var keyValueWidth: Int { keyValueHeadCount * headDimension }
}

/// The modules that make queries, keys and values.
public enum QueryKeyValueSpec: Equatable, Sendable {
    case separate(query: LinearSpec, key: LinearSpec, value: LinearSpec)
    /// One module makes all; `order` says how they lie in its outputs.
    case fused(LinearSpec, order: FusedOrder)

    /// Outputs of a fused module.
    public enum FusedOrder: Equatable, Sendable {
        /// All queries, then all keys, then all values.
        case blocks
        /// For each head of keys and values: its queries, its key, its value.
        case groups
    }

    var linears: [LinearSpec] {
        switch self {
        case .separate(let query, let key, let value): [query, key, value]
        case .fused(let linear, _): [linear]
        }
    }

    /// How the outputs of one module lie; nil where there are three.
    var fusedOrder: FusedOrder? {
        guard case .fused(_, let order) = self else { return nil }
        return order
    }
}

/// The feed-forward part of a layer: what all rows go through, or experts, or both.
public struct FeedForwardSpec: Equatable, Sendable {
    /// The module's name within the layer, for example `mlp`.
    public let name: String
    /// Inputs of `down`; of the experts' where there are experts alone.
    public internal(set) var width: Int
    public let activation: Activation
    /// Nil, like `down`, where there are experts alone.
    public internal(set) var inputs: FeedForwardInputs?
    public internal(set) var down: LinearSpec?
    public internal(set) var experts: ExpertsSpec?
}

/// The modules that a feed-forward part begins with.
public enum FeedForwardInputs: Equatable, Sendable {
    /// activation(gate(x)) ⊙ up(x)
    case gated(gate: LinearSpec, up: LinearSpec)
    /// The same of one module, gates before the others.
    case fusedGated(LinearSpec)
    /// The same with gates and others in turns.
    case interleavedGated(LinearSpec)
    /// activation(up(x))
    case plain(LinearSpec)

    var linears: [LinearSpec] {
        switch self {
        case .gated(let gate, let up): [gate, up]
        case .fusedGated(let linear), .interleavedGated(let linear), .plain(let linear): [linear]
        }
    }
}
