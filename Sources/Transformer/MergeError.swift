/// Why an adapter can't become part of the weights.
public enum MergeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// `reason` is a whole clause: what it does instead.
    case notWeightSpace(adapter: String, reason: String)
    case activated(adapter: String)
    case dependsOnRows(adapter: String)
    case bottleneck(adapter: String)
    case repeatedLayers(adapter: String)
    case notFinite(module: String, row: Int, column: Int)
    case tooLargeForType(module: String, value: Float, type: String)
    case noWholeBlocks(module: String, inputCount: Int, type: String)
    case replacementWeight(adapter: String, weight: Float)

    public var description: String {
        switch self {
        case .notWeightSpace(let adapter, let reason):
            "adapter '\(adapter)' is no change of weights and can't be merged: \(reason); "
                + "serve it attached"
        case .activated(let adapter):
            "adapter '\(adapter)' acts from its invocation tokens on only, while merged weights would "
                + "act on every token: serve it attached"
        case .dependsOnRows(let adapter):
            "what adapter '\(adapter)' does to a token depends on the token, while merged weights "
                + "would be the same for all: serve it attached"
        case .bottleneck(let adapter):
            "adapter '\(adapter)' is a bottleneck, whose activation function no change of weights can "
                + "stand for, so that it can't be merged: serve it attached"
        case .repeatedLayers(let adapter):
            "adapter '\(adapter)' repeats layers, whose copies have the same weights and not the same "
                + "changes, so that it can't be merged into the base: serve it attached"
        case .notFinite(let module, let row, let column):
            "merging gives a value that is not finite in '\(module)' at [\(row), \(column)]: "
                + "nothing was changed; check the adapter's weights"
        case .tooLargeForType(let module, let value, let type):
            "merging gives \(value) in '\(module)', which \(type) can't hold: "
                + "nothing was changed; merge into another type"
        case .noWholeBlocks(let module, let inputCount, let type):
            "the \(inputCount) inputs of '\(module)' are no whole blocks of \(type): nothing was "
                + "changed; merge into another type"
        case .replacementWeight(let adapter, let weight):
            "adapter '\(adapter)' replaces whole weights (modules_to_save), which has a meaning at "
                + "weight 1 only, not \(weight): merge it with weight 1"
        }
    }
}
