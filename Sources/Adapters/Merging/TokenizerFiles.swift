import Checkpoints
import StrictJSON

/// The files beside the weights that make a checkpoint talk: copied from a directory as they are,
/// written anew from what a single file carries, or what an adapter brought along.
struct TokenizerFiles {
    /// Files that Hugging Face's libraries look for.
    private static let names = [
        "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja",
        "chat_template.json", "generation_config.json",
    ]

    let checkpoint: BaseCheckpoint
    /// In place of the base's.
    let own: TokenizerAssets?

    private var assets: TokenizerAssets? { own ?? checkpoint.tokenizer }

    /// What could not be written.
    var notes: [String] {
        switch assets?.vocabulary {
        case nil: ["the base has no tokenizer: none was written"]
        case .gguf:
            [
                "the base's tokenizer is in the form of GGUF, which has no file in a Hugging Face "
                    + "directory: copy the tokenizer files of the original model there"
            ]
        default: []
        }
    }

    /// Calls `body` with each file's name and content.
    func write(
        _ body: (String, [UInt8]) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        switch checkpoint.kind {
        case .huggingFace where own == nil, .safetensors where own == nil: try copy(body)
        default: try writeAssets(body)
        }
    }

    private func copy(
        _ body: (String, [UInt8]) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        for name in Self.names {
            let content: [UInt8]
            do throws(CheckpointError) {
                content = try MappedFile(
                    reading: directory + name, limit: CheckpointLimits.tokenizerFileByteCount
                ).content
            } catch {
                if case .notFound = error { continue }
                throw error
            }
            try body(name, content)
        }
    }

    /// Of the weights' file or, where that is a directory, of its own.
    private var directory: String {
        let path = checkpoint.tensors.path
        if (try? MappedFile(path: path)) == nil { return FilePath.asDirectory(path) }
        guard let separator = path.lastIndex(of: "/") else { return "./" }
        return String(path[...separator])
    }

    private func writeAssets(
        _ body: (String, [UInt8]) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        guard let assets else { return }
        switch assets.vocabulary {
        case .tokenizerJSON(let bytes): try body("tokenizer.json", bytes)
        case .sentencePiece(let bytes): try body("tokenizer.model", bytes)
        case .gguf: break
        }
        let objects = [
            ("tokenizer_config.json", assets.tokenizerConfig),
            ("generation_config.json", assets.generationConfig),
            ("special_tokens_map.json", assets.specialTokensMap),
            ("added_tokens.json", assets.addedTokens),
        ]
        for case (let name, let object?) in objects {
            try body(name, Array(JSONValue.object(object).serialized(pretty: true).utf8))
        }
        // The checkpoint's own configuration has its template too; the file wins.
        if let template = assets.chatTemplate {
            try body("chat_template.jinja", Array(template.utf8))
        }
    }
}
