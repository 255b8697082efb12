internal import Glibc

/// Paths as text.
package enum FilePath {
    package static func join(_ directory: String, _ name: String) -> String {
        asDirectory(directory) + name
    }

    /// With a slash at its end.
    package static func asDirectory(_ path: String) -> String {
        path.hasSuffix("/") ? path : path + "/"
    }

    /// Everything before the last separator; "." when there is none.
    static func directory(of path: String) -> String {
        guard let separator = path.lastIndex(of: "/") else { return "." }
        return separator == path.startIndex ? "/" : String(path[..<separator])
    }

    static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// Whether `name` is a file name that stays in its directory.
    static func isPlainName(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && name.utf8.count <= 255
            && name.utf8.allSatisfy { $0 != UInt8(ascii: "/") && $0 >= 0x20 }
    }

    /// Whether something stands at `path`, links followed.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0
    }

    /// The names in a directory, without order; none where there is no such directory.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
