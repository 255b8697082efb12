/// A tokenizer in the steps of a `tokenizer.json`, or of a GGUF vocabulary of the kind “gpt2”.
///
/// A text goes through these steps: added tokens are cut out, the rest is normalised, cut into
/// pieces by the pre-tokenizer, and each piece is encoded by itself.
struct SteppedTokenizer: Tokenizer {
    let encoder: PieceEncoder
    let normalizer: TextNormalizer
    let preTokenizer: PreTokenizer
    let addedTokens: AddedTokenSet
    /// Tokens that go around a text when special tokens are asked for.
    let surroundings: TextSurroundings
    let tokenBytes: TokenBytes
    /// Which spaces at the beginning of a text are not part of it.
    let leadingSpace: TokenSpelling.LeadingSpace
    let conventions: TokenizerConventions
    /// Tokens that stand for a byte, and which; empty where characters are never written byte by
    /// byte.
    var bytePieces: [Int: UInt8] = [:]
    var additionalTokenCount = 0
    var warnings: [String] = []

    var tokenCount: Int { tokenBytes.count }
    var beginningToken: Int? { conventions.beginningToken }
    var endTokens: Set<Int> { conventions.endTokens }

    func requireChatTemplate() throws(TokenizationError) -> ChatTemplate {
        try conventions.chatTemplate.get()
    }

    var specialTokens: SpecialTokens { conventions.specialTokens }
    var invalidBytes: InvalidBytes { bytePieces.isEmpty ? .onePerPart : .onePerByteOfRun }

    func isSpecial(_ token: Int) -> Bool { addedTokens.isSpecial(token) }

    func byteValue(of token: Int) -> UInt8? { bytePieces[token] }

    func bytes(of token: Int, at position: inout TextPosition) -> [UInt8] {
        guard !isSpecial(token) else { return [] }
        return withoutLeadingSpace(tokenBytes[token], at: &position)
    }

    func withoutLeadingSpace(_ bytes: [UInt8], at position: inout TextPosition) -> [UInt8] {
        var bytes = bytes
        guard position == .beginning, leadingSpace != .kept, !bytes.isEmpty else { return bytes }
        position = .continuation
        let space = UInt8(ascii: " ")
        if leadingSpace == .firstTokenDropped {
            bytes.removeAll { $0 == space }
        } else if bytes.first == space {
            bytes.removeFirst()
        }
        return bytes
    }

    func spelling(of token: Int) -> [UInt8] { tokenBytes[token] }

    func token(spelled spelling: String) -> Int? {
        addedTokens.token(spelled: spelling) ?? encoder.tokens.id(of: spelling).map(Int.init)
    }

    func encode(
        _ text: PromptText, addingSpecialTokens: Bool
    ) throws(TokenizationError) -> [Int] {
        let bytes = text.bytes
        try TextLimit.check(byteCount: bytes.count)
        var tokens = addingSpecialTokens ? surroundings.before : []
        var scratch = BytePairEncoder.Scratch()
        let isPlain = !text.plainRanges.isEmpty
        let verbatim = isPlain ? addedTokens.verbatimBesidePlain : addedTokens.verbatim
        let normalized = isPlain ? addedTokens.normalizedBesidePlain : addedTokens.normalized
        for segment in verbatim.segments(of: bytes, besides: text.plainRanges) {
            if let token = segment.token {
                tokens.append(token)
            } else {
                try encode(
                    between: Array(bytes[segment.range]), normalized,
                    beginsText: segment.range.lowerBound == 0, into: &tokens, &scratch)
            }
        }
        if addingSpecialTokens { tokens += surroundings.after }
        return tokens
    }

    /// Appends the tokens of a text without verbatim added tokens.
    private func encode(
        between text: [UInt8], _ normalized: AddedTokenMatcher, beginsText: Bool,
        into tokens: inout [Int], _ scratch: inout BytePairEncoder.Scratch
    ) throws(TokenizationError) {
        let text = normalizer.normalize(text)
        for segment in normalized.segments(of: text) {
            if let token = segment.token {
                tokens.append(token)
                continue
            }
            var pieces = TextPieces(
                Array(text[segment.range]),
                beginsText: beginsText && segment.range.lowerBound == 0)
            try preTokenizer.cut(&pieces)
            try encoder.encode(pieces, into: &tokens, &scratch)
        }
    }
}

/// The tokens that a vocabulary puts before and after a text.
struct TextSurroundings: Sendable, Equatable {
    var before: [Int] = []
    var after: [Int] = []
}

/// The longest text that is encoded at once.
enum TextLimit {
    /// libsentencepiece and PCRE2 count in 32 bits.
    static let byteCount = Int(Int32.max) / 4

    /// - Throws: `textTooLong`.
    static func check(byteCount count: Int) throws(TokenizationError) {
        guard count <= byteCount else { throw .textTooLong(byteCount: count, limit: byteCount) }
    }
}
