internal import Glibc

/// A regular file, mapped read-only into memory, or a copy of one in memory of its own.
///
/// `@unchecked Sendable`: nothing writes to the memory once `init` is over, and it is given back
/// only when the last reference is gone.
public final class MappedFile: @unchecked Sendable {
    /// The file's bytes; valid as long as this object lives.
    public let bytes: UnsafeRawBufferPointer
    /// The path under which it was opened.
    public let path: String
    /// Of a mapped file.
    private let file: OpenedFile?

    /// Maps the whole file. An empty file has no bytes.
    ///
    /// What another process writes into the file shows in `bytes`, and where it is cut, reading
    /// there ends the process. `read(_:into:)` reads without either; so does memory of
    /// `init(reading:limit:)`.
    ///
    /// - Throws: `CheckpointError.notFound`, `.notRegularFile` (a directory, FIFO, device or
    ///   socket, none of which is waited for) or `.unreadable`.
    public init(path: String) throws(CheckpointError) {
        self.path = path
        let file = try OpenedFile(path: path)
        bytes = try file.mapped()
        self.file = file
    }

    /// Reads the whole file into memory of its own: whatever happens to the file later doesn't
    /// matter, and a file that changes while it is read is refused.
    ///
    /// - Parameter limit: a longer file is refused unread.
    /// - Throws: as above; `.malformed` for a file that is longer than `limit`, or that changes
    ///   meanwhile.
    public convenience init(reading path: String, limit: Int = .max) throws(CheckpointError) {
        let file = try OpenedFile(path: path)
        guard file.byteCount <= limit else {
            throw .malformed(
                path: file.path, reason: "it has \(file.byteCount) bytes, the limit is \(limit)")
        }
        var isWhole = true
        try self.init(byteCount: file.byteCount, path: file.path) { isWhole = file.read(into: $0) }
        guard isWhole, file.isUnchanged else { throw file.changed }
    }

    /// Memory that `fill` writes once and that is read-only from then on: whatever happens to the
    /// file at `path` later doesn't matter. Aligned like a mapped file; what isn't written reads as
    /// zeros and takes no memory.
    ///
    /// - Parameters:
    ///   - path: where the bytes come from, for messages; it isn't opened.
    ///   - fill: called once, unless there are no bytes.
    /// - Throws: `CheckpointError.unreadable` when there is no memory for them.
    public init(
        byteCount: Int, path: String, fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(CheckpointError) {
        self.path = path
        file = nil
        guard byteCount > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard
            let start = mmap(
                nil, byteCount, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), start != MAP_FAILED
        else { throw .unreadable(path: path, reason: SystemCall.errorText()) }
        // Fewer entries of the processor's tables reach over large pages.
        if byteCount >= Self.largePageByteCount { madvise(start, byteCount, MADV_HUGEPAGE) }
        fill(UnsafeMutableRawBufferPointer(start: start, count: byteCount))
        mprotect(start, byteCount, PROT_READ)
        bytes = UnsafeRawBufferPointer(start: start, count: byteCount)
    }

    /// A copy of `bytes`.
    ///
    /// - Throws: as above.
    public convenience init(copying bytes: [UInt8], path: String) throws(CheckpointError) {
        try self.init(byteCount: bytes.count, path: path) { $0.copyBytes(from: bytes) }
    }

    /// A file of which only the beginning was read. For checks of a header against the file's
    /// length.
    ///
    /// - Throws: as above.
    package convenience init(
        beginning: [UInt8], byteCount: Int, path: String
    ) throws(CheckpointError) {
        precondition(beginning.count <= byteCount)
        try self.init(byteCount: byteCount, path: path) { $0.copyBytes(from: beginning) }
    }

    /// Copies some of the bytes, of a mapped file without touching the mapping.
    ///
    /// - Parameters:
    ///   - part: a part of `bytes`.
    ///   - memory: as long as `part`.
    /// - Throws: `CheckpointError.malformed` where the file is no longer what was opened.
    package func read(
        _ part: UnsafeRawBufferPointer, into memory: UnsafeMutableRawBufferPointer
    ) throws(CheckpointError) {
        precondition(part.count == memory.count)
        guard let start = part.baseAddress, let base = bytes.baseAddress else { return }
        let offset = start - base
        precondition(offset >= 0 && offset + part.count <= bytes.count)
        guard let file else { return memory.copyMemory(from: part) }
        guard file.read(into: memory, from: offset), file.isUnchanged else { throw file.changed }
    }

    /// The first bytes, which tell what a file is, in memory of their own.
    ///
    /// - Throws: as `read(_:into:)`.
    func beginning() throws(CheckpointError) -> MappedFile {
        let count = min(bytes.count, Self.beginningByteCount)
        return try copy(of: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }

    /// Some of the bytes in memory of their own.
    ///
    /// - Throws: as `read(_:into:)`; `CheckpointError.unreadable` when there is no memory for them.
    func copy(of part: UnsafeRawBufferPointer) throws(CheckpointError) -> MappedFile {
        var failure: CheckpointError?
        let copy = try MappedFile(byteCount: part.count, path: path) { memory in
            do throws(CheckpointError) { try read(part, into: memory) } catch { failure = error }
        }
        if let failure { throw failure }
        return copy
    }

    /// Calls `body` with the bytes, and keeps them meanwhile; for files that are read, not mapped.
    func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }

    /// A copy of all bytes.
    package var content: [UInt8] {
        defer { withExtendedLifetime(self) {} }
        return [UInt8](bytes)
    }

    deinit {
        if let start = bytes.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: start), bytes.count)
        }
    }

    private static let largePageByteCount = 2 << 20
    private static let beginningByteCount = 512
}

/// What stands at a path, as far as the mode tells.
struct FileKind {
    /// With article, for messages.
    let noun: String

    init(_ mode: mode_t) {
        switch mode & S_IFMT {
        case S_IFREG: noun = "a regular file"
        case S_IFDIR: noun = "a directory"
        case S_IFIFO: noun = "a FIFO"
        case S_IFCHR, S_IFBLK: noun = "a device"
        case S_IFSOCK: noun = "a socket"
        default: noun = "a special file"
        }
    }
}

/// What the last system call on this thread complained about.
enum SystemCall {
    static func errorText(_ code: Int32 = errno) -> String {
        switch code {
        case ENOSPC: "no space left on the device"
        case EDQUOT: "the disk quota is exhausted"
        case EACCES, EPERM: "permission denied"
        case EROFS: "the file system is read-only"
        default: String(cString: strerror(code)).lowercased()
        }
    }
}
