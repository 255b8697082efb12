internal import Glibc

/// The file of a Unix socket that this process listens on.
struct UnixSocketFile: Sendable {
    /// Bytes of a path, the terminating zero not counted.
    static let maximumPathByteCount = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    let path: String
    /// Bound and listening; whoever accepts closes it.
    let descriptor: Int32
    private let device: dev_t
    private let inode: ino_t

    /// Listens on a socket that those may connect to whom `access` names. A file that a dead
    /// process left is replaced; of two processes that start at once, one is told that the other is
    /// there.
    ///
    /// - Throws: `TransportError`.
    init(binding path: String, access: SocketAccess = .owner) throws(TransportError) {
        guard path.utf8.count <= Self.maximumPathByteCount, !path.isEmpty else {
            throw .socketPathTooLong(path, limit: Self.maximumPathByteCount)
        }
        // Held until the socket listens: only then can others see that it lives.
        let lock = try DirectoryLock(of: path)
        defer { lock.release() }
        try Self.removeStale(path)
        let descriptor = Glibc.socket(AF_UNIX, Self.streamType, 0)
        guard descriptor >= 0 else { throw Self.failure(path) }
        do throws(TransportError) {
            try Self.listen(descriptor, path, access)
            guard let status = Self.status(path) else { throw Self.failure(path) }
            device = status.st_dev
            inode = status.st_ino
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
    }

    /// Nobody can connect before it listens, so that permissions are complete then.
    private static func listen(
        _ descriptor: Int32, _ path: String, _ access: SocketAccess
    ) throws(TransportError) {
        let mask = umask(0o177)
        let isBound = withAddress(path) { Glibc.bind(descriptor, $0, $1) } == 0
        let reason = errno
        umask(mask)
        guard isBound else {
            throw reason == EADDRINUSE ? .socketInUse(path: path) : failure(path, reason)
        }
        let isReady =
            (access.group.map { lchown(path, uid_t.max, $0) == 0 } ?? true)
            && (access == .owner || chmod(path, access.mode) == 0)
            && Glibc.listen(descriptor, backlog) == 0
        guard isReady else {
            let reason = errno
            unlink(path)
            throw failure(path, reason)
        }
    }

    /// Connections that may wait to be accepted.
    private static let backlog: Int32 = 1024

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
