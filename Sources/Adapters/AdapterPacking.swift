internal import Checkpoints

/// Writes an adapter as one file: a `.lora`.
public enum AdapterPacking {
    /// What was written.
    public struct Report: Sendable, Equatable {
        /// SHA-256 of the content, in hexadecimal: the same before and after.
        public let hash: String
        public let tensorCount: Int
        public let byteCount: Int
    }

    /// Packs a PEFT directory: its tensors in order of their names, then the files of a tokenizer
    /// of its own as tensors of bytes, and its configuration, byte for byte, in the metadata. The
    /// file appears when it is complete.
    ///
    /// - Throws: `AdapterError` for what can't be read, or `.unwritable`.
    public static func pack(
        from path: String, to output: String, options: AdapterOptions = AdapterOptions()
    ) throws(AdapterError) -> Report {
        let file = try AdapterFile.open(path, options: options)
        _ = try Methods.reader(of: file.peftType, file: file.configuration.file)
        guard file.experts.isEmpty else {
            throw .unconvertible(
                path: path,
                reason: "it mixes adapters of other directories, which one file can't hold")
        }
        guard !file.layout.movesRows else {
            throw .unconvertible(
                path: path,
                reason: "its rows are in llama.cpp's order: use graft convert with --base")
        }
        let stored = file.tokenizerFiles.contents.sorted { $0.key < $1.key }
        let writer = SafetensorsWriter(
            tensors: file.tensors.map {
                .init(name: $0.name, elementType: $0.elementType, shape: $0.shape)
            }
                + stored.map {
                    .init(
                        name: AdapterFile.storedFilePrefix + $0.key, elementType: .u8,
                        shape: [$0.value.count])
                },
            metadata: [
                "format": "pt",
                AdapterFile.configurationKey: String(
                    decoding: file.configurationText, as: UTF8.self),
            ])
        do throws(CheckpointError) {
            var index = 0
            try writer.write(to: output) { (_, sink) throws(CheckpointError) in
                let count = file.tensors.count
                let bytes =
                    index < count
                    ? file.tensors[index].withBytes { [UInt8]($0) } : stored[index - count].value
                index += 1
                try sink.write(bytes)
            }
        } catch { throw AdapterError(writing: error) }
        return Report(
            hash: file.contentHash, tensorCount: file.tensors.count,
            byteCount: file.tensors.reduce(0) { $0 + $1.withBytes(\.count) })
    }
}

extension AdapterError {
    /// What went wrong while writing.
    init(writing error: CheckpointError) {
        self =
            switch error {
            case .outputExists(let path): .outputExists(path: path)
            case .unwritable(let path, let reason): .unwritable(path: path, reason: reason)
            default: .damagedFile(error.description)
            }
    }
}
