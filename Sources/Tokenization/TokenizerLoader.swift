public import Checkpoints

/// Makes the tokenizer of a base.
public enum TokenizerLoader {
    /// The tokenizer that `assets` describe.
    /// - Throws: ``TokenizationError`` that names what is malformed or unsupported.
    public static func load(_ assets: TokenizerAssets) throws(TokenizationError) -> any Tokenizer {
        switch assets.vocabulary {
        case .tokenizerJSON(let bytes):
            return try TokenizerJSON(bytes).tokenizer(assets)
        case .sentencePiece(let bytes):
            return try SentencePieceTokenizer(modelBytes: bytes, assets)
        case .gguf(let vocabulary):
            switch vocabulary.model {
            case "gpt2": return try GGUFBytePairs.tokenizer(vocabulary, assets)
            case "llama": return try SentencePieceTokenizer(vocabulary, assets)
            default:
                throw .unsupported(
                    feature: "GGUF vocabulary", name: vocabulary.model,
                    supported: ["gpt2", "llama"])
            }
        }
    }
}
