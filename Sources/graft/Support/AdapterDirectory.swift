import Foundation

/// Every adapter of a directory: its sub-directories, `.lora` and `.gguf` files, each under its own
/// name.
enum AdapterDirectory {
    /// Sorted by name; entries whose name begins with a dot, and other files, are no adapters.
    ///
    /// - Throws: `DirectoryError` where the directory can't be read or holds no adapter.
    static func adapters(in path: String) throws -> [AdapterOption] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw DirectoryError(path: path, reason: "can't be read: give a directory of adapters")
        }
        let adapters = names.sorted().filter { !$0.hasPrefix(".") }.compactMap { name in
            adapter(name, in: path)
        }
        guard !adapters.isEmpty else {
            throw DirectoryError(
                path: path,
                reason: isAdapter(path)
                    ? "is itself an adapter, and holds no others: give --adapter NAME=\(path)"
                    : "holds no sub-directory, no .lora and no .gguf file: nothing to serve")
        }
        return adapters
    }

    /// Whether the directory is an adapter itself, as that of a training run with checkpoints is.
    static func isAdapter(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path + "/adapter_config.json")
    }

    private static func adapter(_ name: String, in path: String) -> AdapterOption? {
        let full = path + "/" + name
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: full, isDirectory: &isDirectory) else {
            return nil
        }
        if isDirectory.boolValue { return AdapterOption(name: name, path: full, isLazy: true) }
        let ending = [".lora", ".gguf"].first(where: name.hasSuffix)
        return ending.map {
            AdapterOption(name: String(name.dropLast($0.count)), path: full, isLazy: true)
        }
    }

    /// - Throws: `DirectoryError` where two adapters have one name.
    static func checkNames(_ adapters: [AdapterOption]) throws {
        var paths: [String: String] = [:]
        for adapter in adapters {
            if let other = paths.updateValue(adapter.path, forKey: adapter.name) {
                throw DirectoryError(
                    path: adapter.path,
                    reason: "has the name '\(adapter.name)', as \(other) has: rename one")
            }
        }
    }
}

/// A directory of adapters that can't be served.
struct DirectoryError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "\(path): \(reason)" }
}
