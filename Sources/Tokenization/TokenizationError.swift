/// Why a tokenizer can't be loaded, or a text, a token or a conversation can't be converted.
public enum TokenizationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A setting has the wrong type or a value that it can't have.
    case invalidField(field: String, expected: String, found: String)
    /// A setting names something that this program does not implement.
    case unsupported(feature: String, name: String, supported: [String])
    /// A merge of a byte-pair vocabulary is wrong; `index` counts from 0.
    case invalidMerge(index: Int, reason: String)
    /// A token has an id that it can't have.
    case invalidTokenID(token: String, id: String, reason: String)
    /// Two tokens claim the same id.
    case duplicateTokenID(id: Int, first: String, second: String)
    /// A special token is named but not defined.
    case undefinedSpecialToken(name: String, field: String)
    /// A regular expression does not compile; `offset` counts its bytes.
    case invalidRegularExpression(pattern: String, offset: Int, reason: String)
    /// A regular expression needed more steps than are allowed for one match.
    case regularExpressionLimit(pattern: String)
    /// A SentencePiece model is malformed; `offset` counts bytes of the file.
    case malformedSentencePieceModel(offset: Int, reason: String)
    /// A piece of a SentencePiece vocabulary is refused; `index` is its id.
    case invalidPiece(index: Int, reason: String)
    /// libsentencepiece reported a failure.
    case sentencePiece(String)
    /// A text is not UTF-8; `byteOffset` is where its first bad sequence begins.
    case invalidUTF8(byteOffset: Int)
    /// A text is longer than the tokenizer takes.
    case textTooLong(byteCount: Int, limit: Int)
    /// A token id lies outside the vocabulary.
    case tokenOutOfRange(token: Int, tokenCount: Int)
    /// There is no chat template.
    case missingChatTemplate
    /// There are named chat templates, but none that counts where a request names none.
    case noDefaultChatTemplate(names: [String])
    /// The chat template is none of those that are known.
    case unknownChatTemplate
    /// A conversation breaks a rule of the chat template.
    case conversation(template: String, reason: String)

    /// One sentence that says what is wrong and, where there is a choice, what to do.
    public var description: String {
        switch self {
        case .invalidField(let field, let expected, let found):
            "\(field) must be \(expected), but it is \(found)."
        case .unsupported(let feature, let name, let supported):
            "The \(feature) '\(name)' is not supported; supported: \(list(supported))."
        case .invalidMerge(let index, let reason):
            "merge \(index): \(reason)."
        case .invalidTokenID(let token, let id, let reason):
            "The token '\(token)' has the id \(id), but \(reason)."
        case .duplicateTokenID(let id, let first, let second):
            "The tokens '\(first)' and '\(second)' have the same id \(id)."
        case .undefinedSpecialToken(let name, let field):
            "\(field) names the special token '\(name)', which is not defined."
        case .invalidRegularExpression(let pattern, let offset, let reason):
            "The regular expression '\(pattern)' is invalid at byte \(offset): \(reason)."
        case .regularExpressionLimit(let pattern):
            "The regular expression '\(pattern)' needs too many steps on this text."
        case .malformedSentencePieceModel(let offset, let reason):
            "The SentencePiece model is malformed at byte \(offset): \(reason)."
        case .invalidPiece(let index, let reason):
            "The SentencePiece model's piece \(index) is invalid: \(reason)."
        case .sentencePiece(let message):
            "libsentencepiece failed: \(message)."
        case .invalidUTF8(let byteOffset):
            "The text is not valid UTF-8 at byte \(byteOffset)."
        case .textTooLong(let byteCount, let limit):
            "The text has \(byteCount) bytes, and the tokenizer takes at most \(limit)."
        case .tokenOutOfRange(let token, let tokenCount):
            "The token id \(token) is not in the vocabulary, whose ids are 0 to \(tokenCount - 1)."
        case .missingChatTemplate:
            "This base has no chat template; send 'prompt' instead of 'messages'."
        case .noDefaultChatTemplate(let names):
            "The chat templates here are named \(list(names.sorted())), and none is named "
                + "'default'; send 'prompt' instead of 'messages'."
        case .unknownChatTemplate:
            "The chat template here is not one of those that are known word by word, so what it "
                + "would write is not known; send 'prompt' instead of 'messages'."
        case .conversation(let template, let reason):
            "The \(template) chat template refuses the conversation: \(reason)."
        }
    }

    private func list(_ names: [String]) -> String { names.joined(separator: ", ") }
}
