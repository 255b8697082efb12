import Testing
import Tokenization

/// Patterns of a tokenizer.json that backtrack without end.
struct RegularExpressionLimitTests {
    private func tokenizer(_ pattern: String) throws -> any Tokenizer {
        let split =
            #"{"type":"Split","pattern":{"Regex":"\#(pattern)"},"behavior":"Isolated","invert":false}"#
        return try Fixtures.tokenizer(
            json: Fixtures.tokenizerJSON(
                preTokenizer: #"{"type":"Sequence","pretokenizers":[\#(split),"#
                    + #"{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]}"#))
    }

    @Test(arguments: [#"a*a*a*b|[\\s\\S]"#, #"(?:a|aa)+b|[\\s\\S]"#])
    func aTextThatTakesTooManyStepsIsRefused(pattern: String) throws {
        let tokenizer = try tokenizer(pattern)
        let text = String(repeating: "a", count: 1 << 20)
        #expect(
            throws: TokenizationError.regularExpressionLimit(
                pattern: pattern.replacing(#"\\"#, with: #"\"#))
        ) { try tokenizer.encode(text, addingSpecialTokens: false) }
        #expect(try tokenizer.encode("aabab", addingSpecialTokens: false).count == 3)
    }

    /// As long as a request may be, with a pattern that no known vocabulary has.
    @Test func anHonestPatternTakesALongText() throws {
        let tokenizer = try tokenizer(#"[^a]?a+|b{1,3}| ?[^\\sab]+|\\s+(?!\\S)|\\s+"#)
        let text = String(repeating: "aaabbb aab ", count: 20_000)
        #expect(try tokenizer.encode(text, addingSpecialTokens: false).count > 20_000)
    }
}
