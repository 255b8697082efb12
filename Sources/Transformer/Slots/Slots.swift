/// A place of the base where linear operators attach: one weight matrix. An opaque number, dense
/// from 0 on; `SlotTable` says what it is.
public struct LinearSlot: Hashable, Sendable {
    package let index: Int

    package init(index: Int) { self.index = index }

    /// The output projection from hidden states to vocabulary logits.
    public static let head = LinearSlot(index: 0)
}

/// A place of the base where a norm's gain and bias can be replaced; a number as above.
public struct NormSlot: Hashable, Sendable {
    package let index: Int

    package init(index: Int) { self.index = index }

    /// The norm before the head.
    public static let final = NormSlot(index: 0)
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

    /// True for linear modules of layers.
    public var isLinearBelowHead: Bool {
        if case .linear(let slot) = self { slot != .head } else { false }
    }
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
