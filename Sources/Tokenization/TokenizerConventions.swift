import Checkpoints
import StrictJSON

/// What is said about a vocabulary beside its tokens: where texts begin and end, and how a conversation is written.
struct TokenizerConventions: Sendable {
    let beginningToken: Int?
    let endTokens: Set<Int>
    let chatTemplate: Result<ChatTemplate, TokenizationError>

    /// What the vocabulary file itself says.
    struct Declared {
        var beginningToken: Int?
        var endTokens: [Int] = []
    }

    /// Joins what the vocabulary declares with the configuration and the chat template.
    /// - Parameters:
    ///   - token: the id of a spelling.
    ///   - spelling: the spelling of an id.
    init(
        _ assets: TokenizerAssets, declared: Declared, token: (String) -> Int?,
        spelling: (Int) -> String
    ) {
        let configuration = SpecialTokenNames(assets.tokenizerConfig)
        beginningToken = configuration.beginning.flatMap(token) ?? declared.beginningToken
        let end = configuration.end.flatMap(token)
        let beginningText = configuration.beginning ?? declared.beginningToken.map(spelling) ?? ""
        let endText = configuration.end ?? declared.endTokens.first.map(spelling) ?? ""
        chatTemplate = Result { () throws(TokenizationError) in
            guard let text = assets.chatTemplate ?? configuration.chatTemplate else {
                throw .missingChatTemplate
            }
            return try ChatTemplate.recognise(
                text, beginningText: beginningText, endText: endText)
        }
        let answerEnds = (try? chatTemplate.get())?.endTokenSpellings.compactMap(token) ?? []
        endTokens = Set(assets.configurationEndTokens + declared.endTokens + answerEnds)
            .union(end.map { [$0] } ?? [])
    }
}

/// The special tokens and the template that a `tokenizer_config.json` names.
struct SpecialTokenNames {
    let beginning: String?
    let end: String?
    /// Every special token that is named, without order.
    let all: [String]
    let chatTemplate: String?

    private static let fields = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
    ]
    private static let listFields = ["additional_special_tokens", "extra_special_tokens"]

    init(_ configuration: JSONObject?) {
        beginning = Self.spelling(configuration?["bos_token"])
        end = Self.spelling(configuration?["eos_token"])
        let named = Self.fields.compactMap { Self.spelling(configuration?[$0]) }
        let listed = Self.listFields.flatMap { configuration?[$0]?.arrayValue ?? [] }
            .compactMap { Self.spelling($0) }
        all = named + listed
        chatTemplate = Self.defaultTemplate(configuration?["chat_template"])
    }

    /// A token is written as its spelling or as an object with the spelling as `content`.
    private static func spelling(_ value: JSONValue?) -> String? {
        value?.stringValue ?? value?.objectValue?["content"]?.stringValue
    }

    /// A template is written as text or as a list of named ones, of which “default” counts.
    private static func defaultTemplate(_ value: JSONValue?) -> String? {
        if let text = value?.stringValue { return text }
        return value?.arrayValue?.compactMap(\.objectValue)
            .first { $0["name"]?.stringValue == "default" }?["template"]?.stringValue
    }
}
