/// One GGUF file, version 2 or 3, mapped; bounds, overflows, duplicates and alignment are checked on opening.
///
/// Opening succeeds for any architecture and any tensor type of today, so that a vocabulary can be read; a tensor
/// of a type that can't be read is refused where it is asked for (`readableTensor`).
///
/// Source: the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md).
public struct GGUFFile: TensorSource {
    static let magic = Array("GGUF".utf8)

    public let tensorNames: [String]
    /// The file that the tensors lie in.
    public let file: MappedFile
    let values: GGUFValues
    private let entries: [String: GGUFTensorEntry]
    private let dataOffset: Int
    let version: UInt32
    let alignment: Int
    let keyCount: Int
    private let keyRange: Range<Int>

    /// Maps and checks a file.
    ///
    /// - Throws: `CheckpointError`, which names file, key and tensor.
    public init(path: String) throws(CheckpointError) {
        try self.init(file: MappedFile(path: path))
    }

    /// Checks a file that is mapped already.
    public init(file: MappedFile) throws(CheckpointError) {
        try self.init(file: file, readByteCount: file.bytes.count)
    }

    /// - Parameter readByteCount: how many of the file's bytes were read, in which keys and the
    ///   descriptions of tensors must end.
    private init(file: MappedFile, readByteCount: Int) throws(CheckpointError) {
        var reader = GGUFReader(
            UnsafeRawBufferPointer(rebasing: file.bytes[..<readByteCount]), path: file.path)
        try Self.checkMagic(file)
        try reader.skip(Self.magic.count, "the magic number")
        version = try reader.integer(UInt32.self, "the version")
        try Self.checkVersion(version, file.path)
        let tensorCount = try reader.count("the number of tensors")
        keyCount = try reader.count("the number of keys")
        let keyStart = reader.offset
        let values = try GGUFValues(&reader, count: keyCount, file: file)
        keyRange = keyStart..<reader.offset
        alignment = try values.alignment()
        let table = try Self.tensorTable(&reader, count: tensorCount, alignment: alignment)
        guard let dataOffset = CheckedArithmetic.roundUp(reader.offset, to: alignment) else {
            throw .malformed(path: file.path, reason: "the alignment, \(alignment), overflows")
        }
        try Self.checkPlacement(
            table, alignment: alignment, dataByteCount: file.bytes.count - dataOffset, file.path)
        self.file = file
        self.values = values
        self.dataOffset = dataOffset
        tensorNames = table.map(\.name)
        entries = Dictionary(table.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
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
            return try GGUFFile(
                file: MappedFile(beginning: beginning, byteCount: byteCount, path: path),
                readByteCount: beginning.count)
        } catch {
            if isFinal || beginning.count == byteCount { throw error }
            return nil
        }
    }

    public var path: String { file.path }

    /// The keys with string values.
    public var metadata: [String: String] { values.strings() }

    /// `general.architecture`; nil where the file has none.
    public var architecture: String? { try? values.text("general.architecture") }

    /// All keys and their values, as they stand in the file; valid as long as `file` lives.
    package var keySection: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: file.bytes[keyRange])
    }

    /// The tensor of this name; nil when there is none, or when its type can't be read.
    public func tensor(_ name: String) -> TensorView? {
        guard let entry = entries[name], let elementType = entry.type.elementType else {
            return nil
        }
        let start = dataOffset + entry.offset
        return TensorView(
            name: name, elementType: elementType, shape: entry.shape,
            bytes: UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + entry.byteCount)]),
            owner: file)
    }

    /// The tensor of this name.
    ///
    /// - Throws: `CheckpointError.missingTensor`, or `.unsupportedElementType` naming the type.
    public func readableTensor(_ name: String) throws(CheckpointError) -> TensorView {
        guard let entry = entries[name] else { throw .missingTensor(name, path: path) }
        guard let view = tensor(name) else {
            throw .unsupportedElementType(
                entry.type.name, tensor: name, supported: GGUFTensorType.supportedNames, path: path)
        }
        return view
    }

    /// Name of the stored type, such as "Q4_K", and shape of a tensor, whether or not it can be read.
    public func storedType(of name: String) -> (typeName: String, shape: [Int])? {
        entries[name].map { ($0.type.name, $0.shape) }
    }
}

extension GGUFFile {
    private static func checkMagic(_ file: MappedFile) throws(CheckpointError) {
        switch FileFormat(file.bytes) {
        case .gguf: return
        case .foreign(let noun):
            throw .foreignFormat(path: file.path, found: noun, expected: "GGUF")
        case .unmarked:
            throw .malformed(path: file.path, reason: "the file doesn't begin with 'GGUF'")
        }
    }

    private static func checkVersion(_ version: UInt32, _ path: String) throws(CheckpointError) {
        guard version != 2, version != 3 else { return }
        if (2...3).contains(version.byteSwapped) {
            throw .unsupportedVersion("big-endian GGUF is not supported", path: path)
        }
        throw .unsupportedVersion(
            "GGUF version \(version) is not supported; supported are 2 and 3", path: path)
    }

    private static func tensorTable(
        _ reader: inout GGUFReader, count: Int, alignment: Int
    ) throws(CheckpointError) -> [GGUFTensorEntry] {
        guard count <= SafetensorsHeader.maximumTensorCount else {
            throw .malformed(
                path: reader.path,
                reason: "too many tensors: \(count), the limit is "
                    + "\(SafetensorsHeader.maximumTensorCount)")
        }
        var table: [GGUFTensorEntry] = []
        var names: Set<String> = []
        for _ in 0..<count {
            let entry = try reader.tensorEntry(alignment: alignment)
            guard names.insert(entry.name).inserted else {
                throw .invalidTensor(entry.name, reason: "described twice", path: reader.path)
            }
            table.append(entry)
        }
        return table
    }

    /// Tensors follow each other in the order of the table, each padded to the alignment.
    private static func checkPlacement(
        _ table: [GGUFTensorEntry], alignment: Int, dataByteCount: Int, _ path: String
    ) throws(CheckpointError) {
        var expected = 0
        for entry in table {
            guard entry.offset == expected else {
                throw .invalidTensor(
                    entry.name, reason: "begins at \(entry.offset), expected \(expected)",
                    path: path)
            }
            guard let end = CheckedArithmetic.sum(expected, entry.byteCount),
                let next = CheckedArithmetic.roundUp(end, to: alignment)
            else { throw .malformed(path: path, reason: "the total size of the tensors overflows") }
            guard end <= dataByteCount else {
                throw .invalidTensor(
                    entry.name,
                    reason: "truncated: its data end \(end - dataByteCount) bytes after the file",
                    path: path)
            }
            expected = next
        }
    }
}
