internal import Checkpoints

/// A safetensors file, copied into memory and checked.
///
/// Mapping the file itself would not do: a file that is truncated while it is mapped kills the process
/// that reads it, and one that is overwritten changes under an adapter in use.
struct SafetensorsContent {
    static let byteCountLimit = 16 << 30

    let path: String
    let metadata: [String: String]
    let tensors: [AdapterTensor]

    /// - Throws: `AdapterError`: not a regular file, changed while it was read, not safetensors.
    init(reading path: String, _ reader: FileReader) throws(AdapterError) {
        let bytes = try reader.bytes(of: path, limit: Self.byteCountLimit)
        let file: SafetensorsFile
        do throws(CheckpointError) {
            file = try SafetensorsFile(file: MappedFile(copying: bytes, path: path))
        } catch { throw .damagedFile(error.description) }
        self.path = path
        metadata = file.metadata
        tensors = file.tensorNames.compactMap { file.tensor($0).map(AdapterTensor.init) }
    }
}
