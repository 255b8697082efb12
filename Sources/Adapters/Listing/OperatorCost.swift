/// What an adapter does to one kind of layer, in what form, and what that costs.
public struct OperatorCost: Sendable, Equatable {
    /// Where the form acts.
    public enum Place: String, Sendable {
        /// Added to the layer's output.
        case beside
        /// On the layer's input.
        case input
        /// On the layer's output before its bias.
        case output
        /// On the finished output, bias and updates included.
        case after
        /// Instead of the layer's own weights.
        case instead
        /// Before the sequence's own tokens.
        case front
    }

    /// The last part of the modules' names, for example `q_proj`.
    public let module: String
    /// For example "low rank" or "circulant".
    public let form: String
    public let place: Place
    /// The largest rank, or number of tokens; nil where the form has neither.
    public var size: Int?
    /// Layers that have it.
    public var layerCount = 0
    /// Multiplications and additions of one row in all these layers, halved.
    public var productCount = 0
    public var byteCount = 0
    /// What the layers themselves multiply for a row; 0 for what is no matrix.
    public var layerProductCount = 0
    /// Bytes of the layers' own weights.
    public var layerByteCount = 0
}

extension Sequence<OperatorCost> {
    public var productCount: Int { reduce(0) { $0 + $1.productCount } }
    public var byteCount: Int { reduce(0) { $0 + $1.byteCount } }

    /// What the changed layers multiply for a row, each kind once whatever changes it.
    public var layerProductCount: Int { once(\.layerProductCount) }

    /// Bytes of the changed layers' own weights, each kind once.
    public var layerByteCount: Int { once(\.layerByteCount) }

    private func once(_ value: (OperatorCost) -> Int) -> Int {
        var largest: [String: Int] = [:]
        for cost in self {
            largest[cost.module] = Swift.max(largest[cost.module] ?? 0, value(cost))
        }
        return largest.values.reduce(0, +)
    }
}
