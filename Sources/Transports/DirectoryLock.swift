internal import Glibc

/// Keeps other servers from looking at a directory's sockets while one is put there.
struct DirectoryLock {
    /// How long another one may take.
    private static let patience = 200
    private static let pauseMicroseconds: UInt32 = 25_000

    /// Negative where the directory can't be locked: where it isn't readable, or the file system
    /// has no locks.
    private let descriptor: Int32

    /// - Throws: `TransportError.cannotListen` where another process doesn't let go.
    init(of path: String) throws(TransportError) {
        descriptor = open(Self.directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        for _ in 0..<Self.patience {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK { return }
            usleep(Self.pauseMicroseconds)
        }
        close(descriptor)
        throw .cannotListen(
            address: path, reason: "another process keeps its directory locked; stop it")
    }

    func release() {
        if descriptor >= 0 { close(descriptor) }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
