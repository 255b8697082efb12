public import Checkpoints
import Crypto
import StrictJSON
import Synchronization

/// Tells tokenizers apart by what they are made of: equal for files that differ only in what
/// trainers leave behind, such as padding and truncation. Texts that were seen before are not taken
/// apart again.
public final class TokenizerIdentity: Sendable {
    /// Settings of `tokenizer_config.json` that change what a tokenizer does.
    private static let settings = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
        "additional_special_tokens", "extra_special_tokens", "add_bos_token", "add_eos_token",
        "legacy", "added_tokens_decoder", "split_special_tokens",
    ]
    /// Texts whose digest is remembered.
    private static let rememberedCount = 256

    /// By the digest of a `tokenizer.json` as it is, that of what it says.
    private let vocabularies = Mutex<[[UInt8]: [UInt8]]>([:])

    public init() {}

    /// A digest of everything that the tokenizer is made of.
    public func digest(of assets: TokenizerAssets) -> [UInt8] {
        var form: [UInt8] = []
        func add(_ part: [UInt8]) {
            form += Array("\(part.count):".utf8) + part
        }
        add(vocabularyDigest(assets.vocabulary))
        let templates = ChatTemplateSet(assets)
        add(Array((templates.standard ?? "").utf8))
        add(Array(templates.names.sorted().joined(separator: "\n").utf8))
        add(Array(assets.configurationEndTokens.sorted().description.utf8))
        add(Self.text(assets.addedTokens ?? [:]))
        var meant = JSONObject()
        for name in Self.settings {
            if let value = assets.tokenizerConfig?[name], !value.isNull { meant[name] = value }
        }
        add(Self.text(meant))
        add(
            assets.tokenizerConfig?["added_tokens_decoder"] == nil
                ? Self.text(assets.specialTokensMap ?? [:]) : [])
        return Self.digest(form)
    }

    private func vocabularyDigest(_ vocabulary: TokenizerAssets.Vocabulary) -> [UInt8] {
        switch vocabulary {
        case .sentencePiece(let model): return Self.digest(model)
        case .gguf(let vocabulary): return Self.digest(Array("\(vocabulary)".utf8))
        case .tokenizerJSON(let text):
            let raw = Self.digest(text)
            if let known = vocabularies.withLock({ $0[raw] }) { return known }
            let made = Self.digest(Self.withoutPadding(text))
            vocabularies.withLock { vocabularies in
                if vocabularies.count >= Self.rememberedCount { vocabularies = [:] }
                vocabularies[raw] = made
            }
            return made
        }
    }

    private static func withoutPadding(_ text: [UInt8]) -> [UInt8] {
        guard var object = (try? JSONValue(parsing: text))?.objectValue else { return text }
        for name in ["padding", "truncation"] where object[name] != nil { object[name] = .null }
        return Self.text(object)
    }

    private static func text(_ object: JSONObject) -> [UInt8] {
        Array(JSONValue.object(object).serialized().utf8)
    }

    private static func digest(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }
}
