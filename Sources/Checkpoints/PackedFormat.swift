internal import StrictJSON

/// The metadata of a `model.bin`: a safetensors file whose tensors are packed for the kernels.
public enum PackedFormat {
    public static let formatKey = "graft.format"
    public static let versionKey = "graft.version"
    public static let configurationKey = "graft.config"
    /// Object: tensor → {type, shape}.
    public static let layoutKey = "graft.layout"

    /// The value of `formatKey` in a `model.bin`.
    public static let modelFormat = "model.bin"
    public static let version = "1"
    /// Tensors begin at multiples of this many bytes in the file.
    public static let alignment = 64

    /// The configuration of a file that claims to be in `format`.
    static func configuration(
        _ file: SafetensorsFile, format: String
    ) throws(CheckpointError) -> JSONObject {
        guard format == modelFormat else {
            throw .foreignFormat(
                path: file.path, found: "a Graft file of format '\(CheckpointError.shown(format))'",
                expected: "a base model")
        }
        guard file.metadata[versionKey] == version else {
            let found = file.metadata[versionKey] ?? "none"
            throw .unsupportedVersion(
                "model.bin version \(CheckpointError.shown(found)) is not supported; "
                    + "write it again with `graft pack`",
                path: file.path)
        }
        guard var text = file.metadata[configurationKey] else {
            throw .malformed(path: file.path, reason: "the metadata lack '\(configurationKey)'")
        }
        let path = "\(file.path): \(configurationKey)"
        let result = text.withUTF8 { buffer in
            Result { () throws(CheckpointError) in
                try JSONFile.object(UnsafeRawBufferPointer(buffer), path: path)
            }
        }
        return try result.get()
    }
}
