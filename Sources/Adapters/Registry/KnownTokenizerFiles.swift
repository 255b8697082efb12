internal import Checkpoints
internal import Glibc

/// The tokenizer's files of an adapter's directory, by digest. One that looks as it did isn't read
/// again.
struct KnownTokenizerFiles: Sendable {
    private struct File: Sendable {
        let name: String
        let identity: FileState
        let digest: String
    }

    private let files: [File]

    /// As the content's hash takes them.
    var digests: [TokenizerFileDigest] {
        files.map { TokenizerFileDigest(name: $0.name, digest: $0.digest) }
    }

    /// - Parameters:
    ///   - directory: with a slash at its end.
    ///   - known: how they were.
    /// - Returns: nil where a file can't be read, or changes meanwhile.
    init?(in directory: String, _ reader: FileReader, known: KnownTokenizerFiles?) {
        var files: [File] = []
        for name in TokenizerFileSet.names.sorted() {
            let path = directory + name
            guard let kind = try? reader.kind(of: path) else { return nil }
            if kind == .missing { continue }
            guard let identity = FileState(of: path) else { return nil }
            if let before = known?.files.first(where: { $0.name == name }),
                before.identity == identity, before.identity.isSettled
            {
                files.append(before)
                continue
            }
            guard
                let bytes = try? reader.bytes(of: path, limit: AdapterFile.tokenizerByteCountLimit)
            else { return nil }
            // A file that was written a moment ago may be written again without looking otherwise.
            let settled = identity.settled()
            guard FileState(of: path) == identity else { return nil }
            files.append(
                File(name: name, identity: settled, digest: TokenizerFileDigest.digest(bytes)))
        }
        self.files = files
    }
}

/// One of the tokenizer's files, as the content's hash takes it.
struct TokenizerFileDigest: Sendable, Hashable {
    let name: String
    /// SHA-256, in hexadecimal.
    let digest: String

    /// Sorted by name.
    static func of(_ files: TokenizerFileSet) -> [TokenizerFileDigest] {
        files.contents.sorted { $0.key < $1.key }.map {
            TokenizerFileDigest(name: $0.key, digest: digest($0.value))
        }
    }

    static func digest(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { digest($0) }
    }

    static func digest(_ bytes: UnsafeRawBufferPointer) -> String {
        var hasher = ContentHasher()
        hasher.update(bytes)
        return hasher.finish()
    }
}

extension ContentHasher {
    mutating func update(_ digests: [TokenizerFileDigest]) {
        for file in digests {
            update(file.name)
            update(file.digest)
        }
    }
}

/// Which file stands at a path, and when it last changed in any way.
struct FileState: Sendable, Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let byteCount: Int
    /// In nanoseconds.
    private let modified: Int
    private let changed: Int
    /// True where its last change was long enough before it was read that a later one looks
    /// otherwise, however coarse the clock of the file system.
    private(set) var isSettled = false

    private static let coarsestNanoseconds = 2_000_000_000

    /// Symbolic links are followed; nil where there is nothing.
    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        byteCount = Int(status.st_size)
        modified = Self.nanoseconds(status.st_mtim)
        changed = Self.nanoseconds(status.st_ctim)
    }

    /// The same, with a look at the clock.
    func settled() -> FileState {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var identity = self
        identity.isSettled =
            Self.nanoseconds(now) - max(modified, changed) > Self.coarsestNanoseconds
        return identity
    }

    static func == (left: FileState, right: FileState) -> Bool {
        left.device == right.device && left.inode == right.inode
            && left.byteCount == right.byteCount && left.modified == right.modified
            && left.changed == right.changed
    }

    private static func nanoseconds(_ time: timespec) -> Int {
        Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
    }
}
