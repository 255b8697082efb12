/// Why an adapter can't become part of the weights.
public enum MergeError: Error, Equatable, Sendable, CustomStringConvertible {
    case notWeightSpace(adapter: String, MergeObstacle)
    case notFinite(module: String, row: Int, column: Int)
    case tooLargeForType(module: String, value: Float, type: String)
    case noWholeBlocks(module: String, inputCount: Int, type: String)
    case replacementWeight(adapter: String, weight: Float)

    public var description: String {
        switch self {
        case .notWeightSpace(let adapter, let obstacle):
            "adapter '\(adapter)' is no change of weights and can't be merged: \(obstacle.reason); "
                + "serve it attached"
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
