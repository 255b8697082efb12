public import Kernels

/// Experts of a feed-forward part: of the same shape, and each row goes through a few of them.
///
///     y = Σ over the row's experts of weight · expert(x), in ascending order of expert
///
/// **Source**: arXiv 2101.03961, 2401.04088.
public struct ExpertsSpec: Equatable, Sendable {
    /// What stands between an expert's inputs and `down`.
    public enum Gating: Equatable, Sendable {
        /// activation(gate) ⊙ up
        case activation(Activation)
        /// g · σ(1.702 g) ⊙ (u + 1) with g = min(gate, limit), u = up within ± limit.
        case clamped(limit: Float)
    }

    /// Its outputs are the experts' logits.
    public let router: LinearSpec
    /// Experts of a row: those with the largest logits.
    public let topCount: Int
    /// Whether the weights of a row's experts add up to 1; else they are shares among all experts.
    public let normalizesWeights: Bool
    /// Inputs of `down` of each expert.
    public let width: Int
    public let gating: Gating
    public let experts: [ExpertSpec]
    /// What the part that all rows go through is multiplied with is σ of its output; nil where it
    /// isn't, or where there is no such part.
    public var sharedGate: LinearSpec?

    /// In the order of their slots.
    var linears: [LinearSpec] {
        [router] + [sharedGate].compactMap(\.self)
            + experts.flatMap { $0.inputs.linears + [$0.down] }
    }
}

/// One of the experts.
public struct ExpertSpec: Equatable, Sendable {
    public let inputs: FeedForwardInputs
    public let down: LinearSpec
}

/// A tensor that has the matrices of all experts.
public struct StackedTensor: Equatable, Sendable {
    /// Within the layer, for example `mlp.experts.down_proj`.
    public let name: String
    /// The tensor with their biases, [count, outputs]; nil where they have none.
    public let biasName: String?
    /// Which of them it is, of how many.
    public let index, count: Int
    /// Its outputs among those that an expert has in the tensor.
    public let rows: Range<Int>
    public let rowCount: Int
    /// **Shape** of the tensor: [count, inputs, rowCount] where true, else [count, rowCount,
    /// inputs].
    public let isTransposed: Bool
    /// Whether checkpoints have a tensor for each expert as well, which is then the usual form.
    public let isAlternative: Bool

    /// **Shape** of the whole tensor.
    public func shape(inputCount: Int) -> [Int] {
        isTransposed ? [count, inputCount, rowCount] : [count, rowCount, inputCount]
    }
}
