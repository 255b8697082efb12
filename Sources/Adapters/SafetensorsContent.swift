internal import Checkpoints
internal import Glibc

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
        let file = try Self.parse(bytes, path: path)
        self.path = path
        metadata = file.metadata
        tensors = file.tensorNames.compactMap { file.tensor($0).map(AdapterTensor.init) }
    }

    /// Puts the bytes into an anonymous file, which nobody else can reach, and maps that.
    private static func parse(
        _ bytes: [UInt8], path: String
    ) throws(AdapterError) -> SafetensorsFile {
        let descriptor = Self.anonymousFile()
        guard descriptor >= 0 else { throw .unreadable(path: path, reason: "no memory file") }
        defer { close(descriptor) }
        guard write(bytes, to: descriptor) else {
            throw .unreadable(path: path, reason: String(cString: strerror(errno)))
        }
        let alias = "/proc/self/fd/\(descriptor)"
        do throws(CheckpointError) { return try SafetensorsFile(path: alias) } catch {
            throw .damagedFile(error.description.replacing(alias, with: path))
        }
    }

    /// A file in memory without a name; negative where the system has none.
    ///
    /// Glibc's header hides the function from Swift, so that it is looked up by name.
    private static func anonymousFile() -> Int32 {
        typealias Create = @convention(c) (UnsafePointer<CChar>, UInt32) -> Int32
        guard let symbol = dlsym(nil, "memfd_create") else { return -1 }
        let closesOnExecute: UInt32 = 1
        return unsafeBitCast(symbol, to: Create.self)("graft-adapter", closesOnExecute)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = Glibc.write(
                    descriptor, bytes.baseAddress! + written, min(bytes.count - written, 1 << 30))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                written += count
            }
            return true
        }
    }
}
