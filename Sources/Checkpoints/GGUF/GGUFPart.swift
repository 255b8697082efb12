/// One file in GGUF form as it stands, which may be a part of a model.
struct GGUFPart: Sendable {
    let file: MappedFile
    /// The file's beginning up to the data, at least, in memory of its own.
    let head: MappedFile
    let values: GGUFValues
    let version: UInt32
    let alignment: Int
    let keyCount: Int
    /// Where the key-value section lies.
    let keyRange: Range<Int>
    /// In the order of their data.
    let entries: [GGUFTensorEntry]
    private let dataOffset: Int

    /// - Parameter readByteCount: how many of the file's bytes were read, in which keys and the
    ///   descriptions of tensors must end; nil: all.
    /// - Throws: `CheckpointError`, which names file, key and tensor.
    init(_ file: MappedFile, readByteCount: Int? = nil) throws(CheckpointError) {
        try Self.checkMagic(file)
        let readByteCount = readByteCount ?? file.bytes.count
        var headByteCount = Self.firstHeadByteCount
        while headByteCount < readByteCount {
            if let part = try GGUFPart(file, headByteCount: headByteCount, isAll: false) {
                self = part
                return
            }
            headByteCount *= 4
        }
        guard let part = try GGUFPart(file, headByteCount: readByteCount, isAll: true) else {
            throw .malformed(path: file.path, reason: "truncated")
        }
        self = part
    }

    /// Enough for most vocabularies.
    private static let firstHeadByteCount = 16 << 20

    /// Nil where the head is longer than `headByteCount`, and there is more of it.
    private init?(
        _ file: MappedFile, headByteCount: Int, isAll: Bool
    ) throws(CheckpointError) {
        let head = try file.copy(of: UnsafeRawBufferPointer(rebasing: file.bytes[..<headByteCount]))
        var reader = GGUFReader(head.bytes, path: file.path)
        do throws(CheckpointError) { try self.init(file, head, &reader) } catch {
            guard !reader.hasRunOut || isAll else { return nil }
            throw error
        }
    }

    private init(
        _ file: MappedFile, _ head: MappedFile, _ reader: inout GGUFReader
    ) throws(CheckpointError) {
        try reader.skip(GGUFFile.magic.count, "the magic number")
        version = try reader.integer(UInt32.self, "the version")
        try Self.checkVersion(version, file.path)
        let tensorCount = try reader.count("the number of tensors")
        keyCount = try reader.count("the number of keys")
        let keyStart = reader.offset
        let values = try GGUFValues(&reader, count: keyCount, file: head)
        keyRange = keyStart..<reader.offset
        alignment = try values.alignment()
        entries = try Self.tensorTable(&reader, count: tensorCount, alignment: alignment)
        guard let dataOffset = CheckedArithmetic.roundUp(reader.offset, to: alignment) else {
            throw .malformed(path: file.path, reason: "the alignment, \(alignment), overflows")
        }
        try Self.checkPlacement(
            entries, alignment: alignment, dataByteCount: file.bytes.count - dataOffset, file.path)
        self.file = file
        self.head = head
        self.values = values
        self.dataOffset = dataOffset
    }

    /// The tensor that an entry describes; nil when its type can't be read.
    func tensor(_ entry: GGUFTensorEntry) -> TensorView? {
        guard let elementType = entry.type.elementType else { return nil }
        let start = dataOffset + entry.offset
        return TensorView(
            name: entry.name, elementType: elementType, shape: entry.shape,
            bytes: UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + entry.byteCount)]),
            owner: file)
    }
}

extension GGUFPart {
    private static func checkMagic(_ file: MappedFile) throws(CheckpointError) {
        switch try FileFormat(file) {
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
        guard count <= CheckpointLimits.tensorCount else {
            throw .malformed(
                path: reader.path,
                reason: "too many tensors: \(count), the limit is \(CheckpointLimits.tensorCount)")
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
