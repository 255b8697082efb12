internal import Checkpoints
internal import Glibc
internal import Transformer

/// What an adapter's files were when they were read or checked, all but the tensors' values: as long as
/// they are that, an idle adapter comes back without being parsed and compiled anew.
struct KnownFiles: Sendable {
    let layout: ProductLayout
    /// True for a directory, false for one file that holds the configuration, too.
    private(set) var isDirectory: Bool
    private(set) var configurationText: [UInt8]
    /// As the content's hash takes it.
    let canonicalConfiguration: String

    /// - Parameters:
    ///   - path: of the adapter.
    ///   - layouts: shares layouts among adapters.
    init?(
        _ file: AdapterFile, _ compiled: CompiledAdapter, path: String, layouts: ProductLayouts
    ) {
        guard let layout = ProductLayout(file, compiled).flatMap(layouts.shared) else { return nil }
        self.layout = layout
        isDirectory = file.tensorFile != path
        configurationText = file.configurationText
        canonicalConfiguration = file.configuration.canonicalText
    }

    /// The same for another adapter with the same settings and tensors.
    func belonging(to file: AdapterFile, path: String) -> KnownFiles {
        var files = self
        files.isDirectory = file.tensorFile != path
        files.configurationText = file.configurationText
        return files
    }

    /// What the adapter is now.
    struct Content {
        let hash: String
        let operators: AdapterOperators
    }

    /// Reads the tensors.
    ///
    /// - Parameter known: the content's hash; empty where its values were never checked.
    /// - Returns: nil where the files are in any way others, or can't be read: reading the adapter as if
    ///   nothing were known of it finds out what they are then.
    func content(
        of path: String, known: String, _ files: FileReader, _ buffers: ReadBuffers
    ) -> Content? {
        guard isAsBefore(path, files) else { return nil }
        return try? files.withContent(
            of: isDirectory ? FilePath.join(path, AdapterFile.tensorName) : path,
            byteCount: layout.fileByteCount, buffers
        ) { bytes in
            guard memcmp(layout.header, bytes.baseAddress!, layout.header.count) == 0 else {
                return nil
            }
            var hasher = ContentHasher()
            hasher.update(canonicalConfiguration)
            layout.hash(bytes, into: &hasher)
            let hash = hasher.finish()
            guard known.isEmpty ? layout.areFinite(bytes) : hash == known else { return nil }
            return Content(hash: hash, operators: layout.operators(bytes))
        }
    }

    /// True where all but the file with the tensors is what it was.
    private func isAsBefore(_ path: String, _ files: FileReader) -> Bool {
        guard (try? files.kind(of: path)) == (isDirectory ? .directory : .regular) else {
            return false
        }
        guard isDirectory else { return true }
        let text = try? files.bytes(
            of: FilePath.join(path, AdapterFile.configurationName),
            limit: AdapterConfiguration.byteCountLimit)
        guard text == configurationText else { return false }
        let tokenizer = try? AdapterFile.tokenizerFiles(in: FilePath.asDirectory(path), files)
        return tokenizer?.isEmpty ?? false
    }
}
