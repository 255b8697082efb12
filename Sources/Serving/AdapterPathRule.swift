internal import Glibc

/// Which paths clients may load adapters from.
public enum AdapterPathRule: Sendable, Equatable {
    /// Any: the client is the user who started the program.
    case any
    /// Only what lies in this directory, symbolic links followed first.
    case inside(root: String)
    /// None: clients use the adapters that are there.
    case none

    /// Entries of an adapter's directory that are looked at; no adapter has as many.
    private static let maximumEntryCount = 4096

    /// - Throws: `adapter_invalid`. Its message names no path that the client didn't give.
    func check(_ path: String) throws(ServingError) {
        switch self {
        case .any: return
        case .none:
            throw ServingError(
                .adapterInvalid,
                "this server loads no adapters for clients: start it with --adapter-root",
                field: "path")
        case .inside(let root):
            guard let root = Self.resolved(root), let resolved = Self.resolved(path),
                Self.isInside(resolved, root),
                Self.entries(of: resolved).allSatisfy({
                    Self.resolved($0).map { Self.isInside($0, root) } ?? false
                })
            else {
                throw ServingError(
                    .adapterInvalid,
                    "'\(FieldReader.shortened(path))' is not inside the directory that this server "
                        + "loads adapters from", field: "path")
            }
        }
    }

    private static func isInside(_ path: String, _ root: String) -> Bool {
        path == root || path.hasPrefix(root == "/" ? root : root + "/")
    }

    /// The path without symbolic links and dots; nil where nothing is.
    private static func resolved(_ path: String) -> String? {
        guard !path.utf8.contains(0), let pointer = realpath(path, nil) else { return nil }
        defer { free(pointer) }
        return String(cString: pointer)
    }

    /// Paths of a directory's entries; none for anything else.
    private static func entries(of path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var paths: [String] = []
        while paths.count < maximumEntryCount, let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { paths.append("\(path)/\(name)") }
        }
        return paths
    }
}
