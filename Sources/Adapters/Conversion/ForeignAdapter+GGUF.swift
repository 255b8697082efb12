internal import Checkpoints
internal import StrictJSON

extension ForeignAdapter {
    static func isGGUF(_ path: String, _ reader: FileReader) throws(AdapterError) -> Bool {
        try reader.start(of: path, count: 4) == Array("GGUF".utf8)
    }

    /// How much of a GGUF file is read to know what it is, a little first. Keys and the
    /// descriptions of tensors end in the first of these where it is an adapter; a base has its
    /// vocabulary before them.
    private static let beginnings = [1 << 20, 1 << 24, 1 << 28]

    /// A LoRA of llama.cpp.
    ///
    /// Nothing is mapped: a file that shrinks while it is mapped ends the process that reads it.
    ///
    /// - Throws: `AdapterError`; a GGUF of a model is no adapter.
    static func gguf(
        _ path: String, _ reader: FileReader, _ extent: AdapterFile.Extent
    ) throws(AdapterError) -> AdapterFile {
        // Bases are GGUF files as well, and too large to copy before that is known.
        var file = try beginning(of: path, reader)
        try GGUFLoRA.checkKind(file)
        if case .whole = extent {
            let content = try reader.copy(of: path, limit: SafetensorsContent.byteCountLimit)
            do throws(CheckpointError) { file = try GGUFFile(file: content) } catch {
                throw .damagedFile(error.description)
            }
        }
        let lora = try GGUFLoRA(file, extent)
        var result = try AdapterFile(lora.adapter, file: path, extent: extent)
        result.layout = lora.layout
        return result
    }

    private static func beginning(
        of path: String, _ reader: FileReader
    ) throws(AdapterError) -> GGUFFile {
        for count in beginnings {
            let bytes = try reader.start(of: path, count: count)
            guard let byteCount = try reader.stamp(of: path)?.byteCount, byteCount >= bytes.count
            else { throw .changedWhileReading(path: path) }
            do throws(CheckpointError) {
                let file = try GGUFFile.beginning(
                    bytes, byteCount: byteCount, path: path, isFinal: count == beginnings.last)
                if let file { return file }
            } catch { throw .damagedFile(error.description) }
        }
        throw .changedWhileReading(path: path)
    }
}
