internal import Glibc

/// Reads whole files into memory, so that nothing that happens to them later matters.
struct FileReader {
    enum Kind: Equatable {
        case missing, directory, regular
        /// What it is, for messages.
        case other(String)
    }

    /// Only files inside this directory are read, where it is given.
    let root: String?

    /// Symbolic links are followed.
    ///
    /// - Throws: `AdapterError.outsideRoot`, `.unreadable`.
    func kind(of path: String) throws(AdapterError) -> Kind {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw .unreadable(path: path.replacing("\0", with: "\\0"), reason: "not a path")
        }
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return .missing }
            throw .unreadable(path: path, reason: Self.errorText())
        }
        try checkInsideRoot(path)
        return Self.kind(status)
    }

    /// The file's bytes.
    ///
    /// - Throws: `AdapterError.notRegularFile`, `.tooLarge`, `.changedWhileReading`, `.unreadable`.
    func bytes(of path: String, limit: Int) throws(AdapterError) -> [UInt8] {
        try checkInsideRoot(path)
        // Opening a FIFO would wait for its writer.
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, reason: Self.errorText()) }
        defer { close(descriptor) }
        let before = try status(descriptor, path)
        let kind = Self.kind(before)
        guard kind == .regular else {
            throw .notRegularFile(
                path: path, found: kind.description)
        }
        let count = Int(before.st_size)
        guard count <= limit else { throw .tooLarge(path: path, byteCount: count, limit: limit) }
        let bytes = try read(descriptor, count, path)
        let after = try status(descriptor, path)
        guard bytes.count == count, after.st_size == before.st_size,
            after.st_mtim.tv_sec == before.st_mtim.tv_sec,
            after.st_mtim.tv_nsec == before.st_mtim.tv_nsec
        else { throw .changedWhileReading(path: path) }
        return bytes
    }

    /// The bytes of a safetensors header, with the length in front, and how long the whole file is.
    ///
    /// - Throws: as `bytes(of:limit:)`.
    func safetensorsHeader(
        of path: String, limit: Int
    ) throws(AdapterError) -> (bytes: [UInt8], fileByteCount: Int) {
        try checkInsideRoot(path)
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, reason: Self.errorText()) }
        defer { close(descriptor) }
        let status = try status(descriptor, path)
        let kind = Self.kind(status)
        guard kind == .regular else {
            throw .notRegularFile(path: path, found: kind.description)
        }
        var bytes = try read(descriptor, min(8, Int(status.st_size)), path)
        guard bytes.count == 8 else { return (bytes, Int(status.st_size)) }
        let length = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let rest = Int(clamping: min(length, UInt64(limit)))
        bytes += try read(descriptor, min(rest, Int(status.st_size) - 8), path)
        return (bytes, Int(status.st_size))
    }

    /// How a file looks from outside; nil where there is none.
    ///
    /// - Throws: `AdapterError.outsideRoot`.
    func stamp(of path: String) throws(AdapterError) -> FileStamp? {
        try checkInsideRoot(path)
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileStamp(
            byteCount: Int(status.st_size), seconds: Int(status.st_mtim.tv_sec),
            nanoseconds: Int(status.st_mtim.tv_nsec))
    }

    /// True where a file begins as `torch.save` and Python's pickle begin.
    func isPickle(_ path: String) throws(AdapterError) -> Bool {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, reason: Self.errorText()) }
        defer { close(descriptor) }
        let start = try read(descriptor, 4, path)
        let isZip = start == [0x50, 0x4B, 0x03, 0x04]
        guard !isZip else { return true }
        guard start.count >= 2, start[0] == 0x80, (2...5).contains(start[1]) else { return false }
        // A safetensors file begins with a header length of 8 bytes, which may look the same.
        return try !beginsAsSafetensors(descriptor, path)
    }

    private func beginsAsSafetensors(
        _ descriptor: Int32, _ path: String
    ) throws(AdapterError) -> Bool {
        let rest = try read(descriptor, 5, path)
        return rest.count == 5 && rest[4] == UInt8(ascii: "{")
    }

    private func read(
        _ descriptor: Int32, _ count: Int, _ path: String
    ) throws(AdapterError) -> [UInt8] {
        var failure: AdapterError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < count {
                let got = Glibc.read(
                    descriptor, buffer.baseAddress! + initialized,
                    min(count - initialized, 1 << 30))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = .unreadable(path: path, reason: Self.errorText()) }
                if got <= 0 { return }
                initialized += got
            }
        }
        if let failure { throw failure }
        return bytes
    }

    private func status(_ descriptor: Int32, _ path: String) throws(AdapterError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .unreadable(path: path, reason: Self.errorText())
        }
        return status
    }

    private func checkInsideRoot(_ path: String) throws(AdapterError) {
        guard let root else { return }
        guard let realRoot = Self.realPath(root), let realPath = Self.realPath(path),
            realPath == realRoot || realPath.hasPrefix(realRoot == "/" ? "/" : realRoot + "/")
        else { throw .outsideRoot(path: path, root: root) }
    }

    private static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func kind(_ status: stat) -> Kind {
        switch status.st_mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFIFO: .other("a FIFO")
        case S_IFSOCK: .other("a socket")
        case S_IFCHR, S_IFBLK: .other("a device")
        default: .other("a special file")
        }
    }

    private static func errorText() -> String { String(cString: strerror(errno)) }
}

/// Length and time of the last change: another one means that a file isn't what it was.
struct FileStamp: Sendable, Equatable {
    let byteCount: Int
    let seconds: Int
    let nanoseconds: Int
}

extension FileReader.Kind {
    /// For messages.
    var description: String {
        switch self {
        case .missing: "nothing"
        case .directory: "a directory"
        case .regular: "a regular file"
        case .other(let text): text
        }
    }
}
