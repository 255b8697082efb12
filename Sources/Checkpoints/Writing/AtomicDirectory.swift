internal import Glibc

/// A directory that is filled under a temporary name and appears under its own only when complete.
public struct AtomicDirectory: ~Copyable {
    /// Where to write the files.
    public let temporaryPath: String
    /// The name that `commit` gives.
    public let path: String
    private var isCommitted = false

    /// Creates the temporary directory beside `path`.
    ///
    /// - Throws: `CheckpointError.outputExists` when something stands at `path` already, unless it
    ///   is an empty directory; `.unwritable` when the directory can't be made.
    public init(path: String) throws(CheckpointError) {
        let path = TemporaryName.trimmed(path)
        let temporaryPath = TemporaryName.sibling(of: path)
        try Self.checkVacant(path)
        guard mkdir(temporaryPath, 0o755) == 0 else {
            throw .unwritable(path: path, reason: SystemCall.errorText())
        }
        self.path = path
        self.temporaryPath = temporaryPath
    }

    /// Without `commit`, nothing is left behind.
    deinit {
        if !isCommitted { Self.remove(temporaryPath) }
    }

    /// The path of a file inside the temporary directory.
    public func place(_ name: String) -> String { FilePath.join(temporaryPath, name) }

    /// Moves the directory to its place.
    ///
    /// - Throws: `CheckpointError.outputExists` when something has appeared there meanwhile, or
    ///   `.unwritable`.
    public consuming func commit() throws(CheckpointError) {
        try DirectorySync.flush(temporaryPath)
        // Replaces an empty directory and fails on any other.
        guard rename(temporaryPath, path) == 0 else {
            switch errno {
            case ENOTEMPTY, EEXIST, ENOTDIR: throw .outputExists(path: path)
            default: throw .unwritable(path: path, reason: SystemCall.errorText())
            }
        }
        isCommitted = true
        try DirectorySync.flush(FilePath.directory(of: path))
    }

    private static func checkVacant(_ path: String) throws(CheckpointError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR, names(in: path)?.isEmpty == true else {
            throw .outputExists(path: path)
        }
    }

    /// The entries of a directory; nil when it can't be read.
    private static func names(in path: String) -> [String]? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes the temporary directory, whose entries are files or directories of files.
    private static func remove(_ path: String) {
        for name in names(in: path) ?? [] {
            let place = FilePath.join(path, name)
            if unlink(place) != 0 { remove(place) }
        }
        rmdir(path)
    }
}
