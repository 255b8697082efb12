internal import Glibc

/// A regular file that is open for reading.
final class OpenedFile: Sendable {
    let path: String
    /// As it was on opening.
    let byteCount: Int
    private let descriptor: Int32
    private let identity: Identity

    /// What changes when a file's content does.
    private struct Identity: Equatable {
        let byteCount: Int
        let seconds: Int
        let nanoseconds: Int

        init(_ status: stat) {
            byteCount = Int(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    /// - Throws: `CheckpointError.notFound`, `.notRegularFile` (a directory, FIFO, device or
    ///   socket, none of which is waited for) or `.unreadable`.
    init(path: String) throws(CheckpointError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.openError(path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let reason = SystemCall.errorText()
            close(descriptor)
            throw .unreadable(path: path, reason: reason)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .notRegularFile(path: path, found: FileKind(status.st_mode).noun)
        }
        self.path = path
        self.descriptor = descriptor
        byteCount = Int(status.st_size)
        identity = Identity(status)
    }

    deinit { close(descriptor) }

    /// Nothing has been written to the file since it was opened.
    var isUnchanged: Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && Identity(status) == identity
    }

    var changed: CheckpointError {
        .malformed(path: path, reason: "the file was changed while it was read; try again")
    }

    /// The whole file in memory that shares its content; empty where it is.
    func mapped() throws(CheckpointError) -> UnsafeRawBufferPointer {
        guard byteCount > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        guard let start = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0),
            start != MAP_FAILED
        else { throw .unreadable(path: path, reason: SystemCall.errorText()) }
        return UnsafeRawBufferPointer(start: start, count: byteCount)
    }

    /// Fills `memory` from the file's bytes at `offset` on; false where it has fewer, or can't be
    /// read.
    func read(into memory: UnsafeMutableRawBufferPointer, from offset: Int = 0) -> Bool {
        var done = 0
        while done < memory.count {
            let count = min(Self.chunkByteCount, memory.count - done)
            let found = pread(
                descriptor, memory.baseAddress! + done, count, off_t(offset + done))
            if found < 0, errno == EINTR { continue }
            guard found > 0 else { return false }
            done += found
        }
        return true
    }

    /// Bytes of one system call; Linux reads at most 2 GiB at once.
    private static let chunkByteCount = 256 << 20

    private static func openError(_ path: String) -> CheckpointError {
        switch errno {
        case ENOENT, ENOTDIR: .notFound(path: path)
        case ENXIO: .notRegularFile(path: path, found: "a socket or device")
        default: .unreadable(path: path, reason: SystemCall.errorText())
        }
    }
}
