internal import Checkpoints
internal import Glibc
internal import Kernels

/// Reads whole files into memory, so that nothing that happens to them later matters.
///
/// Where files must lie in a directory, that holds for each of them as it is opened (`PathWalk`).
struct FileReader {
    enum Kind: Equatable {
        case missing, directory, regular
        /// What it is, for messages.
        case other(String)
    }

    /// Opening a FIFO would wait for its writer, and a terminal could become the program's own.
    static let openFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC

    /// The directories that every file must lie in, each in the one before.
    let bounds: [HeldDirectory]
    /// True where the first of them is the root that the owner gave.
    let hasRoot: Bool

    /// - Parameter root: where given, only files inside this directory are read.
    init(root: String?) {
        bounds = root.map { [HeldDirectory(path: $0)] } ?? []
        hasRoot = root != nil
    }

    private init(_ bounds: [HeldDirectory], hasRoot: Bool) {
        self.bounds = bounds
        self.hasRoot = hasRoot
    }

    /// The same, of files inside a mixture's directory.
    func confined(toMixture directory: String) -> FileReader {
        FileReader(bounds + [HeldDirectory(path: directory)], hasRoot: hasRoot)
    }

    /// Symbolic links are followed.
    ///
    /// - Throws: `AdapterError.outsideRoot`, `.outsideMixture`, `.unreadable`.
    func kind(of path: String) throws(AdapterError) -> Kind {
        try status(of: path).map(Self.kind) ?? .missing
    }

    /// The path of the first of these files that is there; nil where none is.
    ///
    /// - Parameter directory: with a slash at its end.
    func first(of names: [String], in directory: String) throws(AdapterError) -> String? {
        for name in names where try kind(of: directory + name) != .missing {
            return directory + name
        }
        return nil
    }

    /// The file's bytes.
    ///
    /// - Throws: `AdapterError.notRegularFile`, `.tooLarge`, `.changedWhileReading`, `.unreadable`.
    func bytes(of path: String, limit: Int) throws(AdapterError) -> [UInt8] {
        try whole(path, limit: limit) { (descriptor, count) throws(AdapterError) in
            let bytes = try read(descriptor, count, path)
            return bytes.count == count ? bytes : nil
        }
    }

    /// The file's bytes, read to where they stay.
    ///
    /// - Throws: as `bytes(of:limit:)`.
    func copy(of path: String, limit: Int) throws(AdapterError) -> MappedFile {
        try whole(path, limit: limit) { (descriptor, count) throws(AdapterError) in
            var outcome = ReadOutcome()
            let file: MappedFile
            do {
                file = try MappedFile(byteCount: count, path: path) {
                    outcome = read(descriptor, into: $0, path)
                }
            } catch { throw .unreadable(path: path, reason: "no memory for \(count) bytes") }
            if let failure = outcome.failure { throw failure }
            return outcome.count == count ? file : nil
        }
    }

    /// Calls `body` with the bytes of a file of just this length; nil where it has another one.
    ///
    /// - Throws: as `bytes(of:limit:)`.
    func withContent<Result>(
        of path: String, byteCount: Int, _ buffers: ReadBuffers,
        _ body: (UnsafeRawBufferPointer) -> Result?
    ) throws(AdapterError) -> Result? {
        let buffer = buffers.take(byteCount)
        defer { buffers.giveBack(buffer) }
        let room = UnsafeMutableRawBufferPointer(start: buffer.pointer, count: byteCount)
        let isRead = try whole(path, limit: .max) { (descriptor, count) throws(AdapterError) in
            guard count == byteCount else { return false }
            let outcome = read(descriptor, into: room, path)
            if let failure = outcome.failure { throw failure }
            return outcome.count == count
        }
        return isRead ? body(UnsafeRawBufferPointer(room)) : nil
    }

    /// - Parameter read: takes a descriptor and the length; nil when there was less to read.
    private func whole<Content>(
        _ path: String, limit: Int, _ read: (Int32, Int) throws(AdapterError) -> Content?
    ) throws(AdapterError) -> Content {
        let file = try open(path)
        let (descriptor, before) = (file.descriptor, file.status)
        let count = Int(before.st_size)
        guard count <= limit else { throw .tooLarge(path: path, byteCount: count, limit: limit) }
        let content = try read(descriptor, count)
        let after = try status(descriptor, path)
        guard let content, after.st_size == before.st_size,
            after.st_mtim.tv_sec == before.st_mtim.tv_sec,
            after.st_mtim.tv_nsec == before.st_mtim.tv_nsec
        else { throw .changedWhileReading(path: path) }
        return content
    }

    /// The bytes of a safetensors header, with the length in front, and how long the whole file is.
    ///
    /// - Throws: as `bytes(of:limit:)`.
    func safetensorsHeader(
        of path: String, limit: Int
    ) throws(AdapterError) -> (bytes: [UInt8], fileByteCount: Int) {
        let file = try open(path)
        let (descriptor, status) = (file.descriptor, file.status)
        var bytes = try read(descriptor, min(8, Int(status.st_size)), path)
        guard bytes.count == 8 else { return (bytes, Int(status.st_size)) }
        let length = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let rest = Int(clamping: min(length, UInt64(limit)))
        bytes += try read(descriptor, min(rest, Int(status.st_size) - 8), path)
        return (bytes, Int(status.st_size))
    }

    /// How a file looks from outside; nil where there is none.
    ///
    /// - Throws: as `kind(of:)`.
    func stamp(of path: String) throws(AdapterError) -> FileStamp? {
        guard let status = try status(of: path) else { return nil }
        return FileStamp(
            byteCount: Int(status.st_size), seconds: Int(status.st_mtim.tv_sec),
            nanoseconds: Int(status.st_mtim.tv_nsec))
    }

    /// The first bytes of a file, or all of a shorter one.
    func start(of path: String, count: Int) throws(AdapterError) -> [UInt8] {
        let file = try open(path)
        return try read(file.descriptor, count, path)
    }

    /// True where a file begins as `torch.save` and Python's pickle begin.
    func isPickle(_ path: String) throws(AdapterError) -> Bool {
        let file = try open(path)
        let start = try read(file.descriptor, 4, path)
        let isZip = start == [0x50, 0x4B, 0x03, 0x04]
        guard !isZip else { return true }
        guard start.count >= 2, start[0] == 0x80, (2...5).contains(start[1]) else { return false }
        // A safetensors file begins with a header length of 8 bytes, which may look the same.
        return try !beginsAsSafetensors(file.descriptor, path)
    }

    private func beginsAsSafetensors(
        _ descriptor: Int32, _ path: String
    ) throws(AdapterError) -> Bool {
        let rest = try read(descriptor, 5, path)
        return rest.count == 5 && rest[4] == UInt8(ascii: "{")
    }

    /// What a read got.
    private struct ReadOutcome {
        var count = 0
        var failure: AdapterError?
    }

    private func read(
        _ descriptor: Int32, _ count: Int, _ path: String
    ) throws(AdapterError) -> [UInt8] {
        var outcome = ReadOutcome()
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            outcome = read(
                descriptor,
                into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count), path)
            initialized = outcome.count
        }
        if let failure = outcome.failure { throw failure }
        return bytes
    }

    /// Reads until the buffer is full or the file ends.
    private func read(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, _ path: String
    ) -> ReadOutcome {
        var outcome = ReadOutcome()
        while outcome.count < buffer.count {
            let got = Glibc.read(
                descriptor, buffer.baseAddress! + outcome.count,
                min(buffer.count - outcome.count, 1 << 30))
            if got < 0, errno == EINTR { continue }
            if got < 0 { outcome.failure = .unreadable(path: path, reason: Self.errorText()) }
            if got <= 0 { break }
            outcome.count += got
        }
        return outcome
    }

    func status(_ descriptor: Int32, _ path: String) throws(AdapterError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw .unreadable(path: path, reason: Self.errorText())
        }
        return status
    }

    static func kind(_ status: stat) -> Kind {
        switch status.st_mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFIFO: .other("a FIFO")
        case S_IFSOCK: .other("a socket")
        case S_IFCHR, S_IFBLK: .other("a device")
        default: .other("a special file")
        }
    }

    static func errorText(_ code: Int32 = errno) -> String {
        String(cString: strerror(code))
    }
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
