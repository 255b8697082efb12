import Glibc

/// Adapters in the folders of a directory that is none itself, as training runs leave them.
enum AdapterFolders {
    /// More entries than that aren't looked at.
    private static let entryLimit = 1000
    private static let shownCount = 5

    /// A clause that names them; empty where there are none.
    ///
    /// - Parameter directory: with a slash at its end.
    static func hint(in directory: String, _ reader: FileReader) -> String {
        let names = entries(of: directory).sorted().filter { name in
            let path = "\(directory)\(name)/\(AdapterFile.configurationName)"
            return (try? reader.kind(of: path)) == .regular
        }
        guard !names.isEmpty else { return "" }
        let shown = names.prefix(shownCount).map { "'\($0)'" }.joined(separator: ", ")
        let rest = names.count > shownCount ? " and \(names.count - shownCount) more" : ""
        return ", but with adapters in \(names.count == 1 ? "its folder" : "its folders") "
            + shown + rest
    }

    private static func entries(of directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        for _ in 0..<entryLimit {
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            // What can't stand in a message on one line is no name that anyone gave.
            guard name != ".", name != "..", name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else { continue }
            names.append(name)
        }
        return names
    }
}
