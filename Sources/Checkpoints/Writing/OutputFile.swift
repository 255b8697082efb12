internal import Glibc

/// A file that is written from start to end under a temporary name, then takes its own.
///
/// A reader sees the old file or the whole new one, also after a crash or `SIGKILL`: the data are
/// on the disk before the name changes, and the name before `commit` returns.
struct OutputFile: ~Copyable {
    private let path: String
    private let temporaryPath: String
    private var descriptor: Int32
    private(set) var byteCount = 0

    /// Chunks of one write; a large one would delay progress and signals.
    private static let chunkByteCount = 8 << 20

    init(path: String) throws(CheckpointError) {
        if FilePath.isDirectory(path) {
            throw .unwritable(path: path, reason: "a directory stands there")
        }
        let temporaryPath = TemporaryName.sibling(of: path)
        let descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw .unwritable(path: path, reason: SystemCall.errorText())
        }
        self.path = path
        self.temporaryPath = temporaryPath
        self.descriptor = descriptor
    }

    /// Without `commit`, nothing is left behind.
    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(temporaryPath)
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        var offset = 0
        while offset < bytes.count {
            let count = min(Self.chunkByteCount, bytes.count - offset)
            let written = Glibc.write(descriptor, bytes.baseAddress.map { $0 + offset }, count)
            if written < 0 {
                if errno == EINTR { continue }
                throw failure()
            }
            offset += written
        }
        byteCount += bytes.count
    }

    mutating func write(_ bytes: [UInt8]) throws(CheckpointError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(CheckpointError) in try write(buffer) }
        }
        try result.get()
    }

    /// Forces the data to the disk and gives the file its name.
    consuming func commit() throws(CheckpointError) {
        guard fsync(descriptor) == 0 else { throw failure() }
        guard rename(temporaryPath, path) == 0 else { throw failure() }
        close(descriptor)
        descriptor = -1
        try DirectorySync.flush(FilePath.directory(of: path))
    }

    private func failure() -> CheckpointError {
        .unwritable(path: path, reason: SystemCall.errorText())
    }
}

/// Makes names in a directory survive a power failure.
enum DirectorySync {
    static func flush(_ directory: String) throws(CheckpointError) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .unwritable(path: directory, reason: SystemCall.errorText())
        }
        defer { close(descriptor) }
        // Some file systems can't flush directories and say EINVAL: then there is nothing to do.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw .unwritable(path: directory, reason: SystemCall.errorText())
        }
    }
}
