internal import Checkpoints

// The tokenizer that trainers save beside an adapter.
extension AdapterFile {
    /// In front of a file's name, what it is called as a tensor of bytes in a `.lora`.
    static let storedFilePrefix = "graft.file."
    /// Of each file.
    static let tokenizerByteCountLimit = 256 << 20

    /// The tokenizer's files in a directory.
    ///
    /// - Throws: `AdapterError` for a file that can't be read.
    static func tokenizerFiles(
        in directory: String, _ reader: FileReader
    ) throws(AdapterError) -> TokenizerFileSet {
        var files = TokenizerFileSet(contents: [:], directory: directory)
        for name in TokenizerFileSet.names
        where try reader.kind(of: directory + name) != .missing {
            files.contents[name] = try reader.bytes(
                of: directory + name, limit: tokenizerByteCountLimit)
        }
        return files
    }

    /// The tokenizer's files among the tensors of a `.lora`.
    static func tokenizerFiles(among tensors: [AdapterTensor], path: String) -> TokenizerFileSet {
        var files = TokenizerFileSet(contents: [:], directory: path)
        for tensor in tensors where isStoredFile(tensor) {
            let name = String(tensor.name.dropFirst(storedFilePrefix.count))
            files.contents[name] = tensor.withBytes { [UInt8]($0) }
        }
        return files
    }

    static func isStoredFile(_ tensor: AdapterTensor) -> Bool {
        guard tensor.elementType == .u8, tensor.name.hasPrefix(storedFilePrefix) else {
            return false
        }
        return TokenizerFileSet.names.contains(
            String(tensor.name.dropFirst(storedFilePrefix.count)))
    }
}
