import Checkpoints
import Foundation
import StrictJSON
import Tokenization

/// The committed vocabularies, and small ones that tests write themselves.
enum Fixtures {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures")

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    static func json(_ name: String) throws -> JSONValue { try JSONValue(parsing: bytes(name)) }

    /// The tokenizer of a fixture, `.json` or `.model`.
    static func tokenizer(_ name: String, _ configuration: JSONObject? = nil) throws
        -> any Tokenizer
    {
        let bytes = try bytes(name)
        let vocabulary: TokenizerAssets.Vocabulary =
            name.hasSuffix(".model") ? .sentencePiece(modelBytes: bytes) : .tokenizerJSON(bytes)
        var assets = TokenizerAssets(vocabulary: vocabulary)
        assets.tokenizerConfig = configuration
        return try TokenizerLoader.load(assets)
    }

    /// The tokenizer of a `tokenizer.json` text.
    static func tokenizer(json text: String) throws(TokenizationError) -> any Tokenizer {
        try TokenizerLoader.load(TokenizerAssets(vocabulary: .tokenizerJSON(Array(text.utf8))))
    }

    /// A `tokenizer.json` with the given parts.
    static func tokenizerJSON(
        vocabulary: String = #"{"a":0,"b":1,"ab":2}"#, merges: String = #"["a b"]"#,
        model: String = "", added: String = "[]",
        preTokenizer: String = #"{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}"#,
        normalizer: String = "null", postProcessor: String = "null",
        decoder: String = #"{"type":"ByteLevel"}"#
    ) -> String {
        """
        {"added_tokens":\(added),"normalizer":\(normalizer),"pre_tokenizer":\(preTokenizer),
        "post_processor":\(postProcessor),"decoder":\(decoder),
        "model":{"type":"BPE","vocab":\(vocabulary),"merges":\(merges)\(model)}}
        """
    }
}

extension JSONValue {
    var integers: [Int] { arrayValue?.compactMap(\.intValue) ?? [] }
}
