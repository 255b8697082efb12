internal import Engine
internal import Synchronization
internal import Tokenization

/// Refuses prompts that are too long by far before they cost anything: neither are their adapters
/// read nor is their text made tokens.
///
/// What passes is counted exactly later, with the tokens that adapters put in front.
final class PromptRoom: Sendable {
    /// Tokenizers drop white space, compose characters, and may put a run of unknown ones into one
    /// token. A text is refused only where its bytes are this many times what the context's tokens
    /// can spell.
    static let allowance = 4

    private let contextTokenCount: Int
    private let tokenizer: (any Tokenizer)?
    /// Bytes of the base's longest token; 0 until somebody asks, since a vocabulary is large.
    private let longestToken = Atomic(0)

    init(contextTokenCount: Int, tokenizer: (any Tokenizer)?) {
        self.contextTokenCount = contextTokenCount
        self.tokenizer = tokenizer
    }

    /// What can be said before the adapters are there, which may have a tokenizer of their own.
    ///
    /// - Throws: `context_too_long`.
    func checkAccepted(_ request: GenerateRequest) throws(ServingError) {
        if case .tokens(let tokens) = request.prompt {
            let room = max(0, contextTokenCount - (request.maximumNewTokenCount > 0 ? 1 : 0))
            guard tokens.count > room else { return }
            throw ServingError(
                EngineError.contextTooLong(tokenCount: tokens.count, maximum: room),
                promptField: request.prompt.field)
        }
        if request.adapter.isEmpty { try checkText(request, own: nil) }
    }

    /// - Parameter own: the adapters' tokenizer; nil for the base's.
    /// - Throws: `context_too_long`.
    func checkText(
        _ request: GenerateRequest, own: (any Tokenizer)?
    ) throws(ServingError) {
        let texts: [String] =
            switch request.prompt {
            case .text(let text): [text]
            case .messages(let messages): messages.map(\.content)
            case .tokens: []
            }
        let byteCount = texts.reduce(0) { $0 + $1.utf8.count }
        // Most prompts are shorter than a few bytes a token.
        guard byteCount > contextTokenCount * Self.allowance, let tokenizer = own ?? tokenizer
        else { return }
        let tokenByteCount =
            own.map { Self.longestTokenByteCount($0) } ?? longestTokenByteCount(tokenizer)
        let (room, isUnbounded) = contextTokenCount.multipliedReportingOverflow(
            by: tokenByteCount * Self.allowance)
        guard !isUnbounded, byteCount > room else { return }
        let writtenByteCount = texts.reduce(0) { $0 + Self.writtenByteCount($1) }
        guard writtenByteCount > room else { return }
        throw ServingError(
            .contextTooLong,
            "the prompt has \(writtenByteCount) bytes beside white space, and the context has room for "
                + "\(contextTokenCount) tokens of at most \(tokenByteCount) bytes: shorten it",
            field: request.prompt.field)
    }

    /// Bytes that are no white space or control characters of ASCII.
    private static func writtenByteCount(_ text: String) -> Int {
        var text = text
        return text.withUTF8 { bytes in bytes.reduce(0) { $0 + ($1 > 0x20 ? 1 : 0) } }
    }

    private func longestTokenByteCount(_ tokenizer: any Tokenizer) -> Int {
        let known = longestToken.load(ordering: .relaxed)
        guard known == 0 else { return known }
        let longest = Self.longestTokenByteCount(tokenizer)
        longestToken.store(longest, ordering: .relaxed)
        return longest
    }

    private static func longestTokenByteCount(_ tokenizer: any Tokenizer) -> Int {
        (0..<tokenizer.tokenCount).reduce(1) { max($0, tokenizer.spelling(of: $1).count) }
    }
}
