import Checkpoints
import StrictJSON

/// The special tokens that a `tokenizer_config.json` names, or a `special_tokens_map.json` where
/// the former has no `added_tokens_decoder`, as `transformers` reads them.
struct SpecialTokenNames {
    let beginning: String?
    let end: String?
    /// Every special token that is named, each once, with id -1: single ones first, then lists.
    let tokens: [AddedToken]

    private static let fields = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ]
    private static let listFields = ["additional_special_tokens", "extra_special_tokens"]

    init(_ assets: TokenizerAssets) {
        var settings = assets.tokenizerConfig ?? JSONObject()
        if settings["added_tokens_decoder"] == nil {
            for (key, value) in assets.specialTokensMap ?? [:] { settings[key] = value }
        }
        beginning = Self.token(settings["bos_token"])?.spelling
        end = Self.token(settings["eos_token"])?.spelling
        var tokens = Self.fields.compactMap { Self.token(settings[$0]) }
        for field in Self.listFields {
            let values =
                settings[field]?.arrayValue ?? settings[field]?.objectValue?.map(\.value) ?? []
            tokens += values.compactMap { Self.token($0) }
        }
        var seen = Set<[UInt8]>()
        self.tokens = tokens.filter { seen.insert(Array($0.spelling.utf8)).inserted }
    }

    /// A token is written as its spelling, or as an object with the spelling as `content`.
    private static func token(_ value: JSONValue?) -> AddedToken? {
        if let spelling = value?.stringValue {
            return spelling.isEmpty ? nil : AddedToken(spelling: spelling, id: -1)
        }
        guard let object = value?.objectValue, let spelling = object["content"]?.stringValue,
            !spelling.isEmpty
        else { return nil }
        func flag(_ name: String) -> Bool { object[name]?.boolValue ?? false }
        return AddedToken(
            spelling: spelling, id: -1, stripsLeft: flag("lstrip"), stripsRight: flag("rstrip"),
            isSingleWord: flag("single_word"), isNormalized: flag("normalized"))
    }
}
