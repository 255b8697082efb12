internal import StrictJSON

/// One safetensors file, mapped; every rule of the format is checked on opening.
///
/// Source: the safetensors format (github.com/huggingface/safetensors, README), with stricter
/// verdicts on what it leaves open: duplicate keys, unknown fields, huge dimensions and ranks, and
/// empty or odd names are refused.
public struct SafetensorsFile: TensorSource {
    public let tensorNames: [String]
    public let metadata: [String: String]
    /// The file that the tensors lie in.
    public let file: MappedFile
    private let views: [ExactText: TensorView]

    /// Maps and checks a file.
    ///
    /// - Throws: `CheckpointError`, which names file and tensor.
    public init(path: String) throws(CheckpointError) {
        try self.init(file: MappedFile(path: path))
    }

    /// Checks a file that is mapped already.
    public init(file: MappedFile) throws(CheckpointError) {
        let header = try SafetensorsHeader(file)
        var views: [ExactText: TensorView] = [:]
        views.reserveCapacity(header.entries.count)
        for entry in header.entries {
            let range = (header.dataOffset + entry.begin)..<(header.dataOffset + entry.end)
            views[ExactText(entry.name)] = TensorView(
                name: entry.name, elementType: entry.elementType, shape: entry.shape,
                bytes: UnsafeRawBufferPointer(rebasing: file.bytes[range]), owner: file)
        }
        self.file = file
        self.views = views
        tensorNames = header.entries.map(\.name)
        metadata = header.metadata
    }

    public var path: String { file.path }

    public func tensor(_ name: String) -> TensorView? { views[ExactText(name)] }
}
