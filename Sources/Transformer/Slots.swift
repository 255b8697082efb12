/// What a linear layer of a decoder block does.
///
/// The raw value is the layer's place within its block, in the order of the forward pass.
public enum LinearRole: Int, CaseIterable, Sendable {
    case query, key, value, attentionOutput, gate, up, down

    /// How many roles take the same rows, from this one on, which is the first of them.
    var stageSize: Int {
        switch self {
        case .query: 3
        case .gate: 2
        default: 1
        }
    }
}

/// A place of the base where linear operators attach: one weight matrix.
public enum LinearSlot: Hashable, Sendable {
    /// A projection of the decoder block with this number.
    case layer(Int, LinearRole)
    /// The output projection from hidden states to vocabulary logits.
    case head
}

/// Which of a decoder block's two norms.
public enum NormRole: Int, CaseIterable, Sendable {
    /// Before attention.
    case attention
    /// Before the feed-forward part.
    case feedForward
}

/// A place of the base where a norm's gain can be replaced.
public enum NormSlot: Hashable, Sendable {
    case layer(Int, NormRole)
    /// The norm before the head.
    case final
}

/// The two parts of a decoder block, each of which adds to the residual stream.
public enum Sublayer: Int, CaseIterable, Sendable {
    case attention, feedForward
}

/// A place of the base where what a sublayer adds to the residual stream can be changed.
public struct SublayerSlot: Hashable, Sendable {
    public let layer: Int
    public let sublayer: Sublayer

    public init(layer: Int, sublayer: Sublayer) {
        self.layer = layer
        self.sublayer = sublayer
    }
}

/// Any place of the base that an adapter can fill with weights.
public enum Slot: Hashable, Sendable {
    case linear(LinearSlot)
    case norm(NormSlot)
    /// The token embedding: look-up of rows, [vocabularyCount, hiddenSize].
    case embedding
}

/// The shape of a linear slot's weight, in the order in which checkpoints store it.
public struct LinearShape: Equatable, Sendable {
    public let outputCount: Int
    public let inputCount: Int

    public init(outputCount: Int, inputCount: Int) {
        self.outputCount = outputCount
        self.inputCount = inputCount
    }
}
