internal import Glibc

/// What a file or directory is, under whatever paths it lies.
struct FileIdentity: Hashable {
    private let device: dev_t
    private let number: ino_t

    init(_ status: stat) {
        device = status.st_dev
        number = status.st_ino
    }
}

/// A directory that others must lie in. It is kept open, so that no other directory can get its
/// identity meanwhile.
final class HeldDirectory: Sendable {
    /// For messages.
    let path: String
    /// Nil where there is no such directory: then nothing lies in it.
    let identity: FileIdentity?
    private let descriptor: Int32

    /// `O_PATH`: opens where a file is, not the file. Glibc's module leaves it out; it is the same
    /// number on x86 and ARM.
    static let placeOnly: Int32 = 0o10000000

    /// Symbolic links are followed: it is the owner who says which directory it is.
    init(path: String) {
        self.path = path
        descriptor =
            path.utf8.contains(0) ? -1 : open(path, Self.placeOnly | O_DIRECTORY | O_CLOEXEC)
        var status = stat()
        let isThere = descriptor >= 0 && fstat(descriptor, &status) == 0
        identity = isThere ? FileIdentity(status) : nil
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
