/// Named tensors, wherever they are stored.
public protocol TensorSource: Sendable {
    /// The file or directory they were opened from.
    var path: String { get }
    /// All names, in the order in which the data lie in the file.
    var tensorNames: [String] { get }
    /// Settings stored beside the tensors, as strings.
    var metadata: [String: String] { get }

    /// The tensor of this name; nil when there is none.
    func tensor(_ name: String) -> TensorView?
}

extension TensorSource {
    /// The tensor of this name.
    ///
    /// - Throws: `CheckpointError.missingTensor` when there is none.
    public func requiredTensor(_ name: String) throws(CheckpointError) -> TensorView {
        guard let view = tensor(name) else { throw .missingTensor(name, path: path) }
        return view
    }
}
