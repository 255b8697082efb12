internal import Glibc

/// Goes along a path from `/`, directory by directory, and follows symbolic links by hand.
///
/// Each step starts at a directory that is open and follows no link by itself, so that the
/// directories gone through are those that the file truly lies in, whoever exchanges names
/// meanwhile: what is checked is what is opened. Unlike `openat2` with `RESOLVE_BENEATH` this
/// serves absolute links that stay inside, and needs no newer kernel and no leave of a sandbox.
struct PathWalk: ~Copyable {
    enum Failure: Error {
        /// Nothing is there.
        case missing
        /// It leads out of this one of the directories that it must stay in.
        case outside(HeldDirectory)
        /// `errno`.
        case system(Int32)
        case tooDeep
    }

    /// Descriptors that one walk may hold; no adapter lies as deep.
    static let depthLimit = 256
    /// As the kernel's.
    private static let linkLimit = 40

    private struct Directory {
        let descriptor: Int32
        let identity: FileIdentity
    }

    /// A file, by its name in the last directory.
    private struct File {
        let name: [CChar]
        let status: stat
    }

    private let bounds: [HeldDirectory]
    private var directories: [Directory] = []
    private var file: File?
    /// Names that are still to be gone along, the next one last.
    private var pending: [[UInt8]] = []
    private var linkCount = 0

    /// - Parameter bounds: every one of them must be among the directories gone through at the end.
    init(inside bounds: [HeldDirectory]) { self.bounds = bounds }

    deinit { for directory in directories { close(directory.descriptor) } }

    /// What stands at the path.
    mutating func status(of path: String) throws(Failure) -> stat {
        guard path.utf8.count < PATH_MAX else { throw failure(ENAMETOOLONG) }
        try enter("/")
        push(Array(path.utf8))
        if !path.utf8.starts(with: "/".utf8) { push(try Self.workingDirectory()) }
        while let name = pending.popLast() { try step(name) }
        if let outside { throw .outside(outside) }
        if let file { return file.status }
        var found = stat()
        guard fstat(directories[directories.count - 1].descriptor, &found) == 0 else {
            throw .system(errno)
        }
        return found
    }

    /// A descriptor of the regular file at the path, and what it is.
    mutating func open(_ path: String) throws(Failure) -> (descriptor: Int32, status: stat) {
        let found = try status(of: path)
        guard let file, found.st_mode & S_IFMT == S_IFREG else { return (-1, found) }
        // Whatever has the name by now lies in the same directory, unless it is a link.
        let descriptor = openat(
            directories[directories.count - 1].descriptor, file.name,
            FileReader.openFlags | O_NOFOLLOW)
        guard descriptor >= 0 else { throw failure() }
        var opened = stat()
        guard fstat(descriptor, &opened) == 0 else {
            let code = errno
            close(descriptor)
            throw .system(code)
        }
        return (descriptor, opened)
    }

    private mutating func step(_ name: [UInt8]) throws(Failure) {
        guard file == nil else { throw failure(ENOTDIR) }
        switch name {
        case Array(".".utf8): return
        case Array("..".utf8):
            if directories.count > 1 { close(directories.removeLast().descriptor) }
        default: try enter(name)
        }
    }

    private mutating func enter(_ name: [UInt8]) throws(Failure) {
        let text = name.map { CChar(bitPattern: $0) } + [0]
        let descriptor = openat(
            directories.last?.descriptor ?? AT_FDCWD, text,
            HeldDirectory.placeOnly | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure() }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw failure(code)
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            guard directories.count < Self.depthLimit else {
                close(descriptor)
                throw .tooDeep
            }
            directories.append(Directory(descriptor: descriptor, identity: FileIdentity(status)))
        case S_IFLNK:
            defer { close(descriptor) }
            try follow(descriptor)
        default:
            close(descriptor)
            file = File(name: text, status: status)
        }
    }

    /// Goes on where a link points, read as text: what `/proc` shows as links leads nowhere else.
    private mutating func follow(_ link: Int32) throws(Failure) {
        linkCount += 1
        guard linkCount <= Self.linkLimit else { throw failure(ELOOP) }
        var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = target.withUnsafeMutableBytes {
            readlinkat(link, "", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard count > 0 else { throw failure(count == 0 ? ENOENT : errno) }
        target.removeSubrange(count...)
        if target[0] == UInt8(ascii: "/") {
            while directories.count > 1 { close(directories.removeLast().descriptor) }
        }
        push(target)
    }

    /// Puts a path's names in front of those that are still to come.
    private mutating func push(_ path: [UInt8]) {
        var names = path.split(separator: UInt8(ascii: "/")).map(Array.init)
        // What ends in a slash must be a directory.
        if path.last == UInt8(ascii: "/") { names.append(Array(".".utf8)) }
        pending += names.reversed()
    }

    /// The first of the bounds that the walk isn't in.
    private var outside: HeldDirectory? {
        bounds.first { bound in
            !directories.contains { $0.identity == bound.identity }
        }
    }

    /// What went wrong here, where that is anyone's business.
    private func failure(_ code: Int32 = errno) -> Failure {
        if let outside { return .outside(outside) }
        return code == ENOENT || code == ENOTDIR ? .missing : .system(code)
    }

    private mutating func enter(_ name: String) throws(Failure) { try enter(Array(name.utf8)) }

    private static func workingDirectory() throws(Failure) -> [UInt8] {
        guard let text = getcwd(nil, 0) else { throw .system(errno) }
        defer { free(text) }
        return Array(String(cString: text).utf8)
    }
}
