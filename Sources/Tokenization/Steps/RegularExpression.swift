internal import RegularExpressions

/// A compiled regular expression over UTF-8, with Oniguruma's meaning of character classes.
///
/// Matching is bounded over a whole text: a pattern that backtracks without end is reported, never
/// waited for. The patterns of known vocabularies need a few steps a character, and aren't counted.
struct RegularExpression: Sendable {
    /// Steps that a text may take: so many, and for each of its bytes so many more. Vocabularies'
    /// own patterns need some dozens a byte.
    static func stepLimit(byteCount: Int) -> Int { (1 << 13) + byteCount << 10 }

    /// The pattern as its author wrote it.
    let pattern: String
    private let expression: CompiledExpression

    /// Compiles `pattern`.
    /// - Throws: `invalidRegularExpression`.
    init(_ pattern: String) throws(TokenizationError) {
        self.pattern = pattern
        let translated = try PatternTranslation.translate(pattern)
        do {
            expression = try CompiledExpression(
                "(?m)" + translated, extent: .anywhere, limits: .texts,
                counting: KnownPreTokenizers.patterns.contains(pattern) ? .none : .items)
        } catch .invalid(let offset, let reason) {
            throw .invalidRegularExpression(
                pattern: pattern, offset: max(0, offset - 4), reason: reason)
        } catch {
            throw .invalidRegularExpression(
                pattern: String(pattern.prefix(80)) + "…", offset: 0, reason: "\(error)")
        }
    }

    /// Every match in each of these ranges of a text, as byte ranges from the range's start.
    ///
    /// - Parameter stepsLeft: what it may cost; less afterwards.
    /// - Throws: `regularExpressionLimit`.
    func matches(
        in text: UnsafeBufferPointer<UInt8>, ranges: [Range<Int>], stepsLeft: inout Int
    ) throws(TokenizationError) -> [[Range<Int>]] {
        let matcher = ExpressionMatcher(expression)
        var matches: [[Range<Int>]] = []
        matches.reserveCapacity(ranges.count)
        for range in ranges {
            do {
                matches.append(
                    try expression.matches(
                        in: UnsafeBufferPointer(rebasing: text[range]), with: matcher,
                        stepsLeft: &stepsLeft))
            } catch { throw .regularExpressionLimit(pattern: pattern) }
        }
        return matches
    }

    /// What the first group of the first match holds.
    /// - Throws: `regularExpressionLimit`.
    func firstCapture(
        in text: UnsafeBufferPointer<UInt8>
    ) throws(TokenizationError) -> Range<Int>? {
        let matcher = ExpressionMatcher(expression)
        var steps = Self.stepLimit(byteCount: text.count)
        do {
            guard try matcher.match(text, from: 0, stepsLeft: &steps) else { return nil }
        } catch { throw .regularExpressionLimit(pattern: pattern) }
        return matcher.range(ofGroup: 1)
    }
}
