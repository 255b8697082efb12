/// Where in a text the next token's bytes go.
///
/// SentencePiece vocabularies write a word's preceding space into the word (`▁word`) and put one in
/// front of a text's first word as well. That artificial space is dropped where a text begins, and
/// is a real space where tokens continue a prompt.
public enum TextPosition: Sendable, Equatable {
    /// Nothing was written before.
    case beginning
    /// Text was written before, or a prompt goes before.
    case continuation
}

/// Text ⇄ token ids of one base. Immutable, so that any thread may use it.
public protocol Tokenizer: Sendable {
    /// One more than the largest token id.
    var tokenCount: Int { get }

    /// How many tokens at the end only the configuration beside the vocabulary names; often one for
    /// padding, without a row of its own in the model.
    var additionalTokenCount: Int { get }

    /// What a user should know of how this tokenizer was made; each one a sentence.
    var warnings: [String] { get }

    /// The token that begins a text, if the vocabulary has one.
    var beginningToken: Int? { get }

    /// The tokens after which generation ends: those of the configuration, of the vocabulary and of
    /// the chat template.
    var endTokens: Set<Int> { get }

    /// What special tokens in a text are where a request doesn't say it; `split_special_tokens`
    /// decides.
    var specialTokens: SpecialTokens { get }

    /// Token ids of `text`.
    ///
    /// Special tokens spelled out in the text become those tokens, but not in its plain stretches.
    /// `addingSpecialTokens` adds what the vocabulary asks for around a text, such as a beginning
    /// token.
    /// - Throws: `textTooLong`, `regularExpressionLimit` or `sentencePiece`.
    func encode(_ text: PromptText, addingSpecialTokens: Bool) throws(TokenizationError) -> [Int]

    /// The bytes that `token` adds to a text at `position`, which is moved on.
    ///
    /// One token's bytes may be part of a character. Special tokens and ids outside the vocabulary
    /// add none.
    func bytes(of token: Int, at position: inout TextPosition) -> [UInt8]

    /// The byte that `token` stands for where a character is written byte by byte; nil for all
    /// other tokens.
    func byteValue(of token: Int) -> UInt8?

    /// What becomes of bytes that are no UTF-8.
    var invalidBytes: InvalidBytes { get }

    /// Bytes that come next in a text, without the space that is no part of it where the text
    /// begins.
    func withoutLeadingSpace(_ bytes: [UInt8], at position: inout TextPosition) -> [UInt8]

    /// The bytes of `token` as it is spelled in text; also for special tokens.
    func spelling(of token: Int) -> [UInt8]

    /// Whether `token` is a control token, which stands for no text.
    func isSpecial(_ token: Int) -> Bool

    /// The id of the token that is spelled `spelling`: special, added or plain, in this order.
    func token(spelled spelling: String) -> Int?

    /// The base's chat template.
    /// - Throws: `missingChatTemplate` or `unknownChatTemplate`.
    func requireChatTemplate() throws(TokenizationError) -> ChatTemplate
}

extension Tokenizer {
    public var additionalTokenCount: Int { 0 }
    public var warnings: [String] { [] }
    public var specialTokens: SpecialTokens { .parse }
    public var invalidBytes: InvalidBytes { .onePerPart }

    public func byteValue(of token: Int) -> UInt8? { nil }

    public func withoutLeadingSpace(_ bytes: [UInt8], at position: inout TextPosition) -> [UInt8] {
        position = .continuation
        return bytes
    }

    /// Token ids of `text`.
    /// - Parameter specialTokens: what special tokens in it are; nil: as the tokenizer has it.
    /// - Throws: as ``encode(_:addingSpecialTokens:)``.
    public func encode(
        _ text: String, addingSpecialTokens: Bool, specialTokens: SpecialTokens? = nil
    ) throws(TokenizationError) -> [Int] {
        try encode(
            PromptText(text, specialTokens: specialTokens ?? self.specialTokens),
            addingSpecialTokens: addingSpecialTokens)
    }

    /// The base's chat template; nil when it has none or an unknown one.
    public var chatTemplate: ChatTemplate? { try? requireChatTemplate() }

    /// The bytes that `token` adds in the middle of a text; none for special tokens.
    public func bytes(of token: Int) -> [UInt8] {
        var position = TextPosition.continuation
        return bytes(of: token, at: &position)
    }

    /// Token ids of a text given as UTF-8.
    /// - Throws: `invalidUTF8` with the offset of the first bad byte, and what
    ///   ``encode(_:addingSpecialTokens:)`` throws.
    public func encode(
        utf8: [UInt8], addingSpecialTokens: Bool
    ) throws(TokenizationError) -> [Int] {
        if let offset = utf8.withUnsafeBufferPointer({ UTF8Validation.firstInvalidByte(in: $0) }) {
            throw .invalidUTF8(byteOffset: offset)
        }
        return try encode(
            String(decoding: utf8, as: UTF8.self), addingSpecialTokens: addingSpecialTokens)
    }

    /// Token ids of a conversation, ready for the assistant's answer.
    ///
    /// The template writes the special tokens, a beginning token included, so none is added to
    /// them.
    /// - Parameter specialTokens: what special tokens in the contents of messages are; those that
    ///   the template writes are tokens. Nil: as the tokenizer has it for the whole text, the
    ///   template's own included.
    /// - Throws: what ``requireChatTemplate()``, ``ChatTemplate/text(of:contents:today:)`` and
    ///   ``encode(_:addingSpecialTokens:)`` throw.
    public func encode(
        conversation: [ChatMessage], specialTokens: SpecialTokens? = nil
    ) throws(TokenizationError) -> [Int] {
        let text = try requireChatTemplate().text(
            of: conversation, contents: specialTokens ?? .parse)
        let isPlain = specialTokens == nil && self.specialTokens == .text
        return try encode(isPlain ? text.whollyPlain : text, addingSpecialTokens: false)
    }

    /// The text of `tokens`, without special tokens; bytes that are not UTF-8 become U+FFFD.
    /// - Parameter rowCount: how many tokens the model knows, where it has more than the
    ///   vocabulary; those stand for no text.
    /// - Throws: `tokenOutOfRange`.
    public func decode(
        _ tokens: [Int], at start: TextPosition = .beginning, rowCount: Int = 0
    ) throws(TokenizationError) -> String {
        let limit = max(tokenCount, rowCount)
        var decoder = StreamingDecoder(self, at: start)
        var text = ""
        for token in tokens {
            guard token >= 0 && token < limit else {
                throw .tokenOutOfRange(token: token, tokenCount: limit)
            }
            text += decoder.append(token)
        }
        return text + decoder.finish()
    }
}
