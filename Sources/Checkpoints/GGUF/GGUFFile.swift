/// A model or adapter in GGUF form, version 2 or 3, mapped; bounds, overflows, duplicates and
/// alignment are checked on opening. A model that is split over several files is one.
///
/// Opening succeeds for any architecture and any tensor type of today, so that a vocabulary can be
/// read; a tensor of a type that can't be read is refused where it is asked for (`readableTensor`).
///
/// Source: the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md).
public struct GGUFFile: TensorSource {
    static let magic = Array("GGUF".utf8)

    public let tensorNames: [String]
    /// The path that was opened; of a split model, any part's.
    public let path: String
    /// In order; the first has the keys.
    private let parts: [GGUFPart]
    private let places: [String: (part: Int, entry: GGUFTensorEntry)]

    /// Maps and checks a file, and the other parts where it is one of several.
    ///
    /// - Throws: `CheckpointError`, which names file, key and tensor.
    public init(path: String) throws(CheckpointError) {
        try self.init(joining: MappedFile(path: path))
    }

    /// Checks a file that is mapped already, and the parts that lie beside its path.
    public init(joining file: MappedFile) throws(CheckpointError) {
        self.init(try GGUFParts.joined(GGUFPart(file)), path: file.path)
    }

    /// Checks one file that is mapped already, whatever lies beside it.
    public init(file: MappedFile) throws(CheckpointError) {
        self.init([try GGUFPart(file)], path: file.path)
    }

    /// A file of which only the beginning was read: the tensors' values read as zeros.
    ///
    /// - Parameters:
    ///   - byteCount: of the whole file.
    ///   - isFinal: true where no more of the file will be read.
    /// - Returns: nil where more of it may help.
    /// - Throws: `CheckpointError` for one that is damaged, or whose description of its tensors
    ///   doesn't end in `beginning`.
    package static func beginning(
        _ beginning: [UInt8], byteCount: Int, path: String, isFinal: Bool
    ) throws(CheckpointError) -> GGUFFile? {
        do throws(CheckpointError) {
            let file = try MappedFile(beginning: beginning, byteCount: byteCount, path: path)
            return GGUFFile([try GGUFPart(file, readByteCount: beginning.count)], path: path)
        } catch {
            if isFinal || beginning.count == byteCount { throw error }
            return nil
        }
    }

    private init(_ parts: [GGUFPart], path: String) {
        var places: [String: (part: Int, entry: GGUFTensorEntry)] = [:]
        var names: [String] = []
        for (number, part) in parts.enumerated() {
            for entry in part.entries {
                places[entry.name] = (number, entry)
                names.append(entry.name)
            }
        }
        self.path = path
        self.parts = parts
        self.places = places
        tensorNames = names
    }

    /// The file that the keys lie in.
    public var file: MappedFile { parts[0].file }
    var values: GGUFValues { parts[0].values }
    var version: UInt32 { parts[0].version }
    var alignment: Int { parts[0].alignment }
    /// Files that the model lies in.
    var partCount: Int { parts.count }

    /// The keys with string values.
    public var metadata: [String: String] { values.strings() }

    /// `general.architecture`; nil where the file has none.
    public var architecture: String? { try? values.text("general.architecture") }

    /// All keys and their values, as they stand in the file; valid as long as `file` lives.
    package var keySection: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: parts[0].head.bytes[parts[0].keyRange])
    }

    /// The keys of a file that holds the whole model, and their number.
    var wholeKeys: (count: Int, bytes: [UInt8]) {
        defer { withExtendedLifetime(parts) {} }
        guard parts.count > 1 else { return (parts[0].keyCount, [UInt8](keySection)) }
        let ranges = values.ranges(where: { !$0.hasPrefix("split.") })
        return (ranges.count, ranges.flatMap { [UInt8](parts[0].head.bytes[$0]) })
    }

    /// The tensor of this name; nil when there is none, or when its type can't be read.
    public func tensor(_ name: String) -> TensorView? {
        places[name].flatMap { parts[$0.part].tensor($0.entry) }
    }

    /// The tensor of this name.
    ///
    /// - Throws: `CheckpointError.missingTensor`, or `.unsupportedElementType` naming the type.
    public func readableTensor(_ name: String) throws(CheckpointError) -> TensorView {
        guard let place = places[name] else { throw .missingTensor(name, path: path) }
        guard let view = tensor(name) else {
            throw .unsupportedElementType(
                place.entry.type.name, tensor: name, supported: GGUFTensorType.supportedNames,
                path: parts[place.part].file.path)
        }
        return view
    }

    /// Name of the stored type, such as "Q4_K", and shape of a tensor, whether or not it can be
    /// read.
    public func storedType(of name: String) -> (typeName: String, shape: [Int])? {
        places[name].map { ($0.entry.type.name, $0.entry.shape) }
    }
}
