internal import Checkpoints
internal import Glibc
internal import Transformer

/// What an adapter's files were when they were read or checked, all but the tensors' values: as
/// long as they are that, an idle adapter comes back without being parsed and compiled anew.
struct KnownFiles: Sendable {
    let layout: ProductLayout
    /// True for a directory, false for one file that holds the configuration, too.
    private(set) var isDirectory: Bool
    private(set) var configurationText: [UInt8]
    /// As the content's hash takes it.
    let canonicalConfiguration: String
    /// The tokenizer's files in the directory; nil where they weren't looked at yet.
    private(set) var tokenizerFiles: KnownTokenizerFiles?

    /// - Parameters:
    ///   - path: of the adapter.
    ///   - layouts: shares layouts among adapters.
    init?(
        _ file: AdapterFile, _ compiled: CompiledAdapter, path: String, layouts: ProductLayouts
    ) {
        guard file.configurationText.count <= AdapterLimits.keptConfigurationByteCount,
            let layout = ProductLayout(file, compiled).flatMap(layouts.shared)
        else { return nil }
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
        files.tokenizerFiles = nil
        return files
    }

    /// What the adapter is now.
    struct Content {
        let hash: String
        let operators: AdapterOperators
        let tokenizer: AdapterTokenizer?
        /// What is known of the files now.
        let files: KnownFiles
    }

    /// Reads the tensors.
    ///
    /// - Parameters:
    ///   - known: the content's hash; empty where its values were never checked.
    ///   - shelf: where tokenizers are shared.
    /// - Returns: nil where the files are in any way others, or can't be read: reading the adapter
    ///   as if nothing were known of it finds out what they are then.
    func content(
        of path: String, known: String, _ files: FileReader, _ buffers: ReadBuffers,
        _ shelf: TokenizerShelf
    ) -> Content? {
        guard isAsBefore(path, files) else { return nil }
        var now = self
        if isDirectory {
            let directory = FilePath.asDirectory(path)
            guard let found = KnownTokenizerFiles(in: directory, files, known: tokenizerFiles)
            else { return nil }
            now.tokenizerFiles = found
        }
        return try? files.withContent(
            of: isDirectory ? FilePath.join(path, AdapterFile.tensorName) : path,
            byteCount: layout.fileByteCount, buffers
        ) { bytes in
            guard memcmp(layout.header, bytes.baseAddress!, layout.header.count) == 0 else {
                return nil
            }
            let digests = now.tokenizerFiles?.digests ?? layout.storedDigests(bytes)
            var hasher = ContentHasher()
            hasher.update(canonicalConfiguration)
            layout.hash(bytes, into: &hasher)
            hasher.update(digests)
            let hash = hasher.finish()
            guard known.isEmpty ? layout.areFinite(bytes) : hash == known else { return nil }
            let tokenizer: AdapterTokenizer?
            do throws(AdapterError) {
                tokenizer = try shelf.tokenizer(digests) { () throws(AdapterError) in
                    isDirectory
                        ? try AdapterFile.tokenizerFiles(in: FilePath.asDirectory(path), files)
                        : layout.storedFiles(bytes, path: path)
                }
            } catch { return nil }
            return Content(
                hash: hash, operators: layout.operators(bytes), tokenizer: tokenizer, files: now)
        }
    }

    /// True where the configuration is what it was.
    private func isAsBefore(_ path: String, _ files: FileReader) -> Bool {
        guard (try? files.kind(of: path)) == (isDirectory ? .directory : .regular) else {
            return false
        }
        guard isDirectory else { return true }
        let text = try? files.bytes(
            of: FilePath.join(path, AdapterFile.configurationName),
            limit: AdapterConfiguration.byteCountLimit)
        return text == configurationText
    }
}
