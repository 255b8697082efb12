internal import Checkpoints

/// A safetensors file, copied into memory and checked.
///
/// Mapping the file itself would not do: a file that is truncated while it is mapped kills the
/// process that reads it, and one that is overwritten changes under an adapter in use.
struct SafetensorsContent {
    static let byteCountLimit = 16 << 30
    private static let headerByteCountLimit = 100_000_000

    let path: String
    let metadata: [String: String]
    let tensors: [AdapterTensor]

    /// Checks the header alone; the tensors' values read as zeros.
    ///
    /// - Throws: as below.
    init(checkingHeaderOf path: String, _ reader: FileReader) throws(AdapterError) {
        let header = try reader.safetensorsHeader(of: path, limit: Self.headerByteCountLimit)
        guard header.fileByteCount <= Self.byteCountLimit else {
            throw .tooLarge(
                path: path, byteCount: header.fileByteCount, limit: Self.byteCountLimit)
        }
        do throws(CheckpointError) {
            self.init(
                try SafetensorsFile(
                    file: MappedFile(
                        beginning: header.bytes, byteCount: header.fileByteCount, path: path)))
        } catch { throw .damagedFile(error.description) }
    }

    /// - Throws: `AdapterError`: not a regular file, changed while it was read, not safetensors.
    init(reading path: String, _ reader: FileReader) throws(AdapterError) {
        let file = try reader.copy(of: path, limit: Self.byteCountLimit)
        do throws(CheckpointError) {
            self.init(try SafetensorsFile(file: file))
        } catch { throw .damagedFile(error.description) }
    }

    private init(_ file: SafetensorsFile) {
        path = file.path
        metadata = file.metadata
        tensors = file.tensorNames.compactMap { file.tensor($0).map(AdapterTensor.init) }
    }
}
