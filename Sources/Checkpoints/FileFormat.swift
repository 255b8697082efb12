/// What a file is, as far as its first bytes tell.
enum FileFormat: Equatable {
    case gguf
    /// Something that is neither GGUF nor safetensors, with article.
    case foreign(String)
    /// No mark of another format: safetensors has none of its own.
    case unmarked

    /// - Throws: `CheckpointError.malformed` where the file is no longer what was opened.
    init(_ file: MappedFile) throws(CheckpointError) {
        let beginning = try file.beginning()
        self = withExtendedLifetime(beginning) { FileFormat(beginning.bytes) }
    }

    private init(_ bytes: UnsafeRawBufferPointer) {
        for (prefix, noun) in Self.foreignMarks where bytes.starts(with: prefix) {
            self = .foreign(noun)
            return
        }
        if bytes.starts(with: GGUFFile.magic) {
            self = .gguf
        } else if Self.looksLikeHTML(bytes) {
            self = .foreign("an HTML page")
        } else {
            self = .unmarked
        }
    }

    private static let foreignMarks: [([UInt8], String)] =
        [
            (Array("version https://git-lfs".utf8), "a Git LFS pointer (run `git lfs pull`)"),
            (
                [0x50, 0x4B, 0x03, 0x04],
                "a zip archive (a PyTorch pickle; convert it to safetensors)"
            ),
            ([0x1F, 0x8B], "a gzip archive"),
        ]
        + (2...5).map { ([0x80, $0], "a Python pickle (convert it to safetensors)") }

    private static func looksLikeHTML(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let start = bytes.prefix(256).drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let text = String(decoding: start.prefix(9), as: UTF8.self).lowercased()
        return text.hasPrefix("<!doctype") || text.hasPrefix("<html")
    }
}
