/// The pre-tokenizers that vocabularies refer to by name instead of spelling them out.
///
/// **Source:** the `tokenizer.json` files published with GPT-2, SmolLM2, Llama 3 and Qwen2.
enum KnownPreTokenizers {
    /// GPT-2's pattern: contractions, words, numbers and punctuation with one space before, white space.
    static let gpt2Pattern =
        #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    static let llama3Pattern = modernPattern(number: #"\p{N}{1,3}"#)
    static let qwen2Pattern = modernPattern(number: #"\p{N}"#)

    /// Names as the GGUF key `tokenizer.ggml.pre` spells them.
    static let names = ["default", "gpt-2", "smollm", "llama-bpe", "qwen2"]

    /// Patterns whose matches are known to take a few steps a character, however the text is made.
    static let patterns: Set<String> = [
        gpt2Pattern, llama3Pattern, qwen2Pattern, digitPattern, digitPattern + "+",
        // As tokenizer.json spells them.
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
    ]

    /// A named pre-tokenizer with what goes along with it.
    struct Known {
        var preTokenizer: PreTokenizer
        var normalizer = TextNormalizer.none
        var ignoresMerges = false
        var addsBeginning = false
    }

    /// The pre-tokenizer of a GGUF vocabulary.
    /// - Throws: `unsupported`.
    static func named(_ name: String) throws(TokenizationError) -> Known {
        switch name {
        case "default", "gpt-2": return Known(preTokenizer: try gpt2())
        case "smollm":
            return Known(preTokenizer: .sequence([try digits(individual: true), try gpt2()]))
        case "llama-bpe":
            let step = try isolated(llama3Pattern)
            return Known(preTokenizer: step, ignoresMerges: true, addsBeginning: true)
        case "qwen2":
            return Known(
                preTokenizer: try isolated(qwen2Pattern), normalizer: .canonicalComposition)
        default:
            throw .unsupported(feature: "GGUF pre-tokenizer", name: name, supported: names)
        }
    }

    /// GPT-2's byte-level step.
    static func gpt2(addsPrefixSpace: Bool = false) throws(TokenizationError) -> PreTokenizer {
        .byteLevel(addsPrefixSpace: addsPrefixSpace, try RegularExpression(gpt2Pattern))
    }

    /// Cuts numbers out.
    static func digits(individual: Bool) throws(TokenizationError) -> PreTokenizer {
        .digits(try RegularExpression(individual ? digitPattern : digitPattern + "+"))
    }

    private static let digitPattern = "[" + #"\p{N}"# + UnicodeAdditions.laterNumbers + "]"

    private static func isolated(_ pattern: String) throws(TokenizationError) -> PreTokenizer {
        .split(try RegularExpression(pattern), .isolated, inverted: false)
    }

    private static func modernPattern(number: String) -> String {
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + number
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }
}
