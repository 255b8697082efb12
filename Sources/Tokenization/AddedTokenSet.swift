/// A vocabulary's added tokens, ready to be found in text.
struct AddedTokenSet: Sendable {
    /// Finds tokens in the text as it came.
    let verbatim: AddedTokenMatcher
    /// Finds tokens in the normalised text.
    let normalized: AddedTokenMatcher
    /// The same two for a text with plain stretches: as no place of the normalised text is known to
    /// be plain, all special tokens are looked for in the text as it came.
    let verbatimBesidePlain: AddedTokenMatcher
    let normalizedBesidePlain: AddedTokenMatcher
    private let specialTokens: Set<Int>
    private let tokensBySpelling: [[UInt8]: Int]

    init(_ tokens: [AddedToken], normalizer: TextNormalizer = .none) {
        func normalised(_ token: AddedToken) -> AddedToken {
            var token = token
            token.spelling = String(
                decoding: normalizer.normalize(Array(token.spelling.utf8)), as: UTF8.self)
            return token
        }
        verbatim = AddedTokenMatcher(tokens.filter { !$0.isNormalized })
        normalized = AddedTokenMatcher(tokens.filter(\.isNormalized).map(normalised))
        let hasNormalizedSpecials = tokens.contains { $0.isNormalized && $0.isSpecial }
        verbatimBesidePlain =
            hasNormalizedSpecials
            ? AddedTokenMatcher(tokens.filter { !$0.isNormalized || $0.isSpecial }) : verbatim
        normalizedBesidePlain =
            hasNormalizedSpecials
            ? AddedTokenMatcher(
                tokens.filter { $0.isNormalized && !$0.isSpecial }.map(normalised)) : normalized
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
    /// - Parameter plainRanges: stretches, in order, that special tokens are not found in.
    func segments(of text: [UInt8], besides plainRanges: [Range<Int>] = []) -> [Segment] {
        text.withUnsafeBufferPointer { segments(of: $0, besides: plainRanges) }
    }
}
