internal import Glibc

/// The file of a Unix socket that this process listens on.
struct UnixSocketFile: Sendable {
    /// Bytes of a path, the terminating zero not counted.
    static let maximumPathByteCount = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    let path: String
    /// Bound, not yet listening; whoever listens closes it.
    let descriptor: Int32
    private let device: dev_t
    private let inode: ino_t

    /// Binds a socket that only this user may connect to. A file that a dead process left is replaced.
    ///
    /// - Throws: `TransportError`.
    init(binding path: String) throws(TransportError) {
        guard path.utf8.count <= Self.maximumPathByteCount, !path.isEmpty else {
            throw .socketPathTooLong(path, limit: Self.maximumPathByteCount)
        }
        try Self.removeStale(path)
        let descriptor = Glibc.socket(AF_UNIX, Self.streamType, 0)
        guard descriptor >= 0 else { throw Self.failure(path) }
        let mask = umask(0o177)
        let isBound = Self.withAddress(path) { Glibc.bind(descriptor, $0, $1) } == 0
        let reason = errno
        umask(mask)
        guard isBound, let status = Self.status(path) else {
            Glibc.close(descriptor)
            throw reason == EADDRINUSE ? .socketInUse(path: path) : Self.failure(path, reason)
        }
        self.path = path
        self.descriptor = descriptor
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file, unless another process has put its own there.
    func remove() {
        guard let status = Self.status(path), status.st_dev == device, status.st_ino == inode else {
            return
        }
        unlink(path)
    }

    private static var streamType: Int32 { Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue) }

    private static func removeStale(_ path: String) throws(TransportError) {
        guard let status = status(path) else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        let probe = Glibc.socket(AF_UNIX, streamType, 0)
        guard probe >= 0 else { throw failure(path) }
        defer { Glibc.close(probe) }
        let isAnswered = withAddress(path) { Glibc.connect(probe, $0, $1) } == 0
        guard !isAnswered, errno == ECONNREFUSED else { throw .socketInUse(path: path) }
        guard unlink(path) == 0 else { throw failure(path) }
    }

    private static func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    private static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func failure(_ path: String, _ code: Int32 = errno) -> TransportError {
        .cannotListen(address: path, reason: String(cString: strerror(code)))
    }
}
