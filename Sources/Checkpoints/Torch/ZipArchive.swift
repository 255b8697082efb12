/// The members of a zip archive that are stored without compression, as torch stores them.
///
/// Source: PKWARE's APPNOTE 6.3.3, with the 64-bit extensions.
struct ZipArchive {
    private let file: MappedFile
    /// Name → where the member's bytes are.
    private let members: [String: Range<Int>]

    private static let endSignature: UInt32 = 0x0605_4B50
    private static let endByteCount = 22
    private static let locatorSignature: UInt32 = 0x0706_4B50
    private static let locatorByteCount = 20
    private static let end64Signature: UInt32 = 0x0606_4B50
    private static let memberSignature: UInt32 = 0x0201_4B50
    private static let localSignature: UInt32 = 0x0403_4B50
    /// The longest comment that may follow the end record.
    private static let maximumCommentByteCount = 65_535

    /// - Throws: `CheckpointError.malformed` where it isn't such an archive.
    init(_ file: MappedFile) throws(CheckpointError) {
        self.file = file
        let directory = try Self.directory(file)
        var reader = GGUFReader(file.bytes, path: file.path)
        try reader.skip(directory.offset, "the zip directory")
        var members: [String: Range<Int>] = [:]
        for _ in 0..<directory.count {
            let member = try Self.member(&reader, file)
            guard members.updateValue(member.range, forKey: member.name) == nil else {
                throw .malformed(
                    path: file.path,
                    reason: "the archive has '\(CheckpointError.shown(member.name))' twice")
            }
        }
        self.members = members
    }

    var names: [String] { members.keys.sorted() }

    /// Where a member's bytes are in the file; nil where there is none of the name.
    func range(of name: String) -> Range<Int>? { members[name] }

    /// A member's bytes, valid as long as the file; nil where there is none of the name.
    func bytes(of name: String) -> UnsafeRawBufferPointer? {
        members[name].map { UnsafeRawBufferPointer(rebasing: file.bytes[$0]) }
    }

    /// How many members there are, and where their descriptions begin.
    private static func directory(
        _ file: MappedFile
    ) throws(CheckpointError) -> (count: Int, offset: Int) {
        let bytes = file.bytes
        let last = bytes.count - endByteCount
        let first = max(0, last - maximumCommentByteCount)
        guard last >= 0,
            let place = (first...last).reversed().first(where: {
                bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self).littleEndian
                    == endSignature
            })
        else { throw malformed(file, "has no zip directory: is it whole?") }
        if let wide = try directory64(file, before: place) { return wide }
        var reader = GGUFReader(bytes, path: file.path)
        try reader.skip(place + 10, "the zip directory")
        let count = try reader.integer(UInt16.self, "the zip directory")
        _ = try reader.integer(UInt32.self, "the zip directory")
        return (Int(count), Int(try reader.integer(UInt32.self, "the zip directory")))
    }

    private static func directory64(
        _ file: MappedFile, before end: Int
    ) throws(CheckpointError) -> (count: Int, offset: Int)? {
        guard end >= locatorByteCount else { return nil }
        var locator = GGUFReader(file.bytes, path: file.path)
        try locator.skip(end - locatorByteCount, "the zip directory")
        guard try locator.integer(UInt32.self, "the zip directory") == locatorSignature else {
            return nil
        }
        try locator.skip(4, "the zip directory")
        var record = GGUFReader(file.bytes, path: file.path)
        try record.skip(try locator.count("the zip directory"), "the zip directory")
        guard try record.integer(UInt32.self, "the zip directory") == end64Signature else {
            throw malformed(file, "has a damaged zip directory")
        }
        try record.skip(28, "the zip directory")
        let count = try record.count("the zip directory")
        try record.skip(8, "the zip directory")
        return (count, try record.count("the zip directory"))
    }

    private static func member(
        _ reader: inout GGUFReader, _ file: MappedFile
    ) throws(CheckpointError) -> (name: String, range: Range<Int>) {
        let what = "a member of the zip archive"
        guard try reader.integer(UInt32.self, what) == memberSignature else {
            throw malformed(file, "has a damaged zip directory")
        }
        try reader.skip(4, what)
        let flags = try reader.integer(UInt16.self, what)
        let method = try reader.integer(UInt16.self, what)
        try reader.skip(8, what)
        var stored = UInt64(try reader.integer(UInt32.self, what))
        var size = UInt64(try reader.integer(UInt32.self, what))
        let nameByteCount = Int(try reader.integer(UInt16.self, what))
        let extraByteCount = Int(try reader.integer(UInt16.self, what))
        let commentByteCount = Int(try reader.integer(UInt16.self, what))
        try reader.skip(8, what)
        var offset = UInt64(try reader.integer(UInt32.self, what))
        let nameStart = try reader.skip(nameByteCount, what)
        guard
            let name = GGUFText.validated(file.bytes, nameStart..<(nameStart + nameByteCount))
        else { throw malformed(file, "has a member whose name is not UTF-8") }
        let extraStart = try reader.skip(extraByteCount, what)
        try widen(
            &size, &stored, &offset, file, extraStart..<(extraStart + extraByteCount))
        try reader.skip(commentByteCount, what)
        guard flags & 1 == 0, method == 0, size == stored else {
            throw malformed(
                file, "has a compressed or encrypted member, '\(CheckpointError.shown(name))'")
        }
        return (name, try range(file, name, offset: offset, size: size))
    }

    /// Replaces what didn't fit 32 bits by what the 64-bit extra field says.
    private static func widen(
        _ size: inout UInt64, _ stored: inout UInt64, _ offset: inout UInt64, _ file: MappedFile,
        _ extra: Range<Int>
    ) throws(CheckpointError) {
        var reader = GGUFReader(
            UnsafeRawBufferPointer(rebasing: file.bytes[extra]), path: file.path)
        while reader.offset + 4 <= extra.count {
            let kind = try reader.integer(UInt16.self, "an extra field")
            let byteCount = Int(try reader.integer(UInt16.self, "an extra field"))
            guard kind == 1 else {
                try reader.skip(byteCount, "an extra field")
                continue
            }
            let absent = UInt64(UInt32.max)
            if size == absent { size = try reader.integer(UInt64.self, "an extra field") }
            if stored == absent { stored = try reader.integer(UInt64.self, "an extra field") }
            if offset == absent { offset = try reader.integer(UInt64.self, "an extra field") }
            return
        }
    }

    private static func range(
        _ file: MappedFile, _ name: String, offset: UInt64, size: UInt64
    ) throws(CheckpointError) -> Range<Int> {
        let what = "'\(CheckpointError.shown(name))'"
        guard let offset = Int(exactly: offset), let size = Int(exactly: size) else {
            throw malformed(file, "has a member of impossible size, \(what)")
        }
        var reader = GGUFReader(file.bytes, path: file.path)
        try reader.skip(offset, what)
        guard try reader.integer(UInt32.self, what) == localSignature else {
            throw malformed(file, "has a damaged member, \(what)")
        }
        try reader.skip(4, what)
        let method = try reader.integer(UInt16.self, what)
        try reader.skip(16, what)
        let nameByteCount = Int(try reader.integer(UInt16.self, what))
        let extraByteCount = Int(try reader.integer(UInt16.self, what))
        let nameStart = try reader.skip(nameByteCount, what)
        // What another reader, which goes by the members' own heads, would find.
        guard method == 0,
            file.bytes[nameStart..<(nameStart + nameByteCount)].elementsEqual(name.utf8)
        else {
            throw malformed(
                file, "has a member that its zip directory describes otherwise, \(what)")
        }
        try reader.skip(extraByteCount, what)
        let start = try reader.skip(size, what)
        return start..<(start + size)
    }

    private static func malformed(_ file: MappedFile, _ reason: String) -> CheckpointError {
        .malformed(path: file.path, reason: reason)
    }
}
