/// Writes small files so that readers see the old content or the new, never a part.
public enum AtomicFile {
    /// Writes `bytes` to `path`, replacing what was there: temporary sibling, fsync, rename, fsync
    /// of the directory.
    ///
    /// - Throws: `CheckpointError.unwritable`; the temporary file is removed.
    public static func write(_ bytes: [UInt8], to path: String) throws(CheckpointError) {
        var output = try OutputFile(path: path)
        try output.write(bytes)
        try output.commit()
    }

    /// Writes a text in UTF-8; see `write(_:to:)` for bytes.
    public static func write(_ text: String, to path: String) throws(CheckpointError) {
        try write([UInt8](text.utf8), to: path)
    }
}
