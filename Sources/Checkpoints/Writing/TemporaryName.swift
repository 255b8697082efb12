internal import Glibc

/// Names for files and directories that are still being written.
enum TemporaryName {
    /// A sibling of `path` that nobody else uses: hidden, with process and time in it.
    static func sibling(of path: String) -> String {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let name = ".\(FilePath.name(of: path)).\(getpid()).\(time.tv_sec)\(time.tv_nsec).tmp"
        return FilePath.join(FilePath.directory(of: path), name)
    }

    /// `path` without separators at its end, which would make a sibling a child.
    static func trimmed(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }
}
