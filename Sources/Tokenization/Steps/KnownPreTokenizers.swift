/// The pre-tokenizers that vocabularies refer to by name instead of spelling them out.
///
/// **Source:** the `tokenizer.json` files published with the models, as far as `llama-vocab.cpp` of
/// llama.cpp (November 2026) has the same steps; for “default” that file alone.
enum KnownPreTokenizers {
    /// GPT-2's pattern: contractions, words, numbers and punctuation with one space before, white
    /// space.
    static let gpt2Pattern =
        #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    static let llama3Pattern = modernPattern(number: #"\p{N}{1,3}"#)
    static let qwen2Pattern = modernPattern(number: #"\p{N}"#)
    static let tekkenPattern = casedPattern(ending: "", number: #"\p{N}"#)
    static let gpt4oPattern = casedPattern(
        ending: "(?i:'s|'t|'re|'ve|'m|'ll|'d)?", number: #"\p{N}{1,3}"#)

    /// One step of a known pre-tokenizer.
    enum Step {
        /// Every match is a piece of its own.
        case split(String)
        case singleDigits
        case gpt2
    }

    /// Patterns whose matches are known to take a few steps a character, however the text is made.
    static let patterns: Set<String> = [
        gpt2Pattern, llama3Pattern, qwen2Pattern, digitPattern, digitPattern + "+",
        // As tokenizer.json spells them.
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
    ]

    /// A named pre-tokenizer with what goes along with it.
    struct Known {
        /// Steps before the one that reads bytes.
        var steps: [Step]
        var normalizer = TextNormalizer.none
        var ignoresMerges = false
        var addsBeginning = false

        /// - Throws: `invalidRegularExpression`.
        func preTokenizer() throws(TokenizationError) -> PreTokenizer {
            var made: [PreTokenizer] = []
            for step in steps {
                switch step {
                case .split(let pattern):
                    made.append(
                        .split(try RegularExpression(pattern), .isolated, inverted: false))
                case .singleDigits: made.append(try KnownPreTokenizers.digits(individual: true))
                case .gpt2: made.append(try KnownPreTokenizers.gpt2())
                }
            }
            return made.count == 1 ? made[0] : .sequence(made)
        }
    }

    /// Names as the GGUF key `tokenizer.ggml.pre` spells them.
    static let names = table.flatMap(\.names)

    private static let llama3 = Known(
        steps: [.split(llama3Pattern)], ignoresMerges: true, addsBeginning: true)
    private static let table: [(names: [String], known: Known)] = [
        (["default"], Known(steps: defaultSteps)),
        (
            [
                "gpt-2", "phi-2", "mpt", "olmo", "jais", "exaone4", "gigachat", "trillion",
                "granite-docling", "mellum",
            ], Known(steps: [.gpt2])
        ),
        (
            ["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
            Known(steps: [.singleDigits, .gpt2])
        ),
        (["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2"], llama3),
        (["dbrx", "smaug-bpe"], Known(steps: [.split(llama3Pattern)])),
        (
            ["qwen2", "deepseek-r1-qwen", "megrez"],
            Known(steps: [.split(qwen2Pattern)], normalizer: .canonicalComposition)
        ),
        (["stablelm2", "hunyuan"], Known(steps: [.split(qwen2Pattern)])),
        (
            ["tekken"],
            Known(steps: [.split(tekkenPattern)], ignoresMerges: true, addsBeginning: true)
        ),
        (["gpt-4o", "llama4", "kanana2"], Known(steps: [.split(gpt4oPattern)])),
        (
            ["deepseek-coder"],
            Known(
                steps: [
                    .split(#"[\r\n]"#), .split(#"\s?\p{L}+"#), .split(#"\s?\p{P}+"#),
                    .split(#"[\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+"#),
                    .singleDigits,
                ])
        ),
    ]

    /// llama.cpp's for files that name none: punctuation and some symbols, GPT-2's pattern, numbers
    /// in threes.
    private static let defaultSteps: [Step] = [
        .split(#"[\p{P}\$\+<=>\^~\|]+"#), .split(gpt2Pattern), .split(#"\p{N}+"#),
        .split("[0-9][0-9][0-9]"),
    ]

    /// The pre-tokenizer of a GGUF vocabulary.
    /// - Throws: `unsupported`.
    static func named(_ name: String) throws(TokenizationError) -> Known {
        guard let known = table.first(where: { $0.names.contains(name) })?.known else {
            throw .unsupported(feature: "GGUF pre-tokenizer", name: name, supported: names)
        }
        return known
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

    private static func modernPattern(number: String) -> String {
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + number
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }

    /// Words of which small letters follow large ones.
    private static func casedPattern(ending: String, number: String) -> String {
        let start = #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#
        let rest = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#
        return start + "*" + rest + "+" + ending + "|" + start + "+" + rest + "*" + ending + "|"
            + number + #"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }
}
