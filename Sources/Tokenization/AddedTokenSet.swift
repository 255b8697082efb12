/// A vocabulary's added tokens, ready to be found in text.
struct AddedTokenSet: Sendable {
    /// Finds tokens in the text as it came.
    let verbatim: AddedTokenMatcher
    /// Finds tokens in the normalised text.
    let normalized: AddedTokenMatcher
    private let specialTokens: Set<Int>
    private let tokensBySpelling: [[UInt8]: Int]

    init(_ tokens: [AddedToken], normalizer: TextNormalizer = .none) {
        verbatim = AddedTokenMatcher(tokens.filter { !$0.isNormalized })
        normalized = AddedTokenMatcher(
            tokens.filter(\.isNormalized).map { token in
                var token = token
                token.spelling = String(
                    decoding: normalizer.normalize(Array(token.spelling.utf8)), as: UTF8.self)
                return token
            })
        specialTokens = Set(tokens.filter(\.isSpecial).map(\.id))
        tokensBySpelling = Dictionary(
            tokens.map { (Array($0.spelling.utf8), $0.id) }, uniquingKeysWith: { first, _ in first }
        )
    }

    /// Whether `token` stands for no text.
    func isSpecial(_ token: Int) -> Bool { specialTokens.contains(token) }

    /// The added token that is spelled `spelling`.
    func token(spelled spelling: String) -> Int? { tokensBySpelling[Array(spelling.utf8)] }
}

extension AddedTokenMatcher {
    /// Cuts valid UTF-8 into added tokens and the text between them.
    func segments(of text: [UInt8]) -> [Segment] {
        text.withUnsafeBufferPointer { segments(of: $0) }
    }
}
