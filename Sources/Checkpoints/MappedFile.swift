internal import Glibc

/// A regular file, mapped read-only into memory, or a copy of one in memory of its own.
///
/// `@unchecked Sendable`: nothing writes to the memory once `init` is over, and it is given back only when the last
/// reference is gone.
public final class MappedFile: @unchecked Sendable {
    /// The file's bytes; valid as long as this object lives.
    public let bytes: UnsafeRawBufferPointer
    /// The path under which it was opened.
    public let path: String

    /// Maps the whole file. An empty file has no bytes.
    ///
    /// - Throws: `CheckpointError.notFound`, `.notRegularFile` (a directory, FIFO, device or socket, none of which
    ///   is waited for) or `.unreadable`.
    public init(path: String) throws(CheckpointError) {
        self.path = path
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.openError(path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .unreadable(path: path, reason: SystemCall.errorText())
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .notRegularFile(path: path, found: FileKind(status.st_mode).noun)
        }
        guard status.st_size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        let count = Int(status.st_size)
        guard let start = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0),
            start != MAP_FAILED
        else { throw .unreadable(path: path, reason: SystemCall.errorText()) }
        bytes = UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Memory that `fill` writes once and that is read-only from then on: whatever happens to the file at `path` later
    /// doesn't matter. Aligned like a mapped file; what isn't written reads as zeros and takes no memory.
    ///
    /// - Parameters:
    ///   - path: where the bytes come from, for messages; it isn't opened.
    ///   - fill: called once, unless there are no bytes.
    /// - Throws: `CheckpointError.unreadable` when there is no memory for them.
    public init(
        byteCount: Int, path: String, fill: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(CheckpointError) {
        self.path = path
        guard byteCount > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard
            let start = mmap(
                nil, byteCount, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), start != MAP_FAILED
        else { throw .unreadable(path: path, reason: SystemCall.errorText()) }
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

    /// A file of which only the beginning was read. For checks of a header against the file's length.
    ///
    /// - Throws: as above.
    package convenience init(
        beginning: [UInt8], byteCount: Int, path: String
    ) throws(CheckpointError) {
        precondition(beginning.count <= byteCount)
        try self.init(byteCount: byteCount, path: path) { $0.copyBytes(from: beginning) }
    }

    /// Calls `body` with the bytes, and keeps the file mapped meanwhile.
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

    private static func openError(_ path: String) -> CheckpointError {
        switch errno {
        case ENOENT, ENOTDIR: .notFound(path: path)
        case ENXIO: .notRegularFile(path: path, found: "a socket or device")
        default: .unreadable(path: path, reason: SystemCall.errorText())
        }
    }
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
