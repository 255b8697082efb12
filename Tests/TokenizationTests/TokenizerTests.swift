import Checkpoints
import Glibc
import StrictJSON
import Testing
import Tokenization

@Suite struct TokenizerTests {
    @Test func invalidUTF8IsRefusedWithItsOffset() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2.json")
        let cases: [([UInt8], Int)] = [
            ([0xFF], 0), ([0x61, 0xC3], 1), ([0xE6, 0x97, 0xA5, 0x80], 3),
            ([0x61, 0xED, 0xA0, 0x80], 1),
            ([0xC0, 0x80], 0), ([0x61, 0x62, 0xF5, 0x80, 0x80, 0x80], 2),
        ]
        for (bytes, offset) in cases {
            let error = #expect(throws: TokenizationError.self) {
                try tokenizer.encode(utf8: bytes, addingSpecialTokens: false)
            }
            #expect(error?.description == "The text is not valid UTF-8 at byte \(offset).")
        }
        let text = Array("a 日".utf8)
        #expect(
            try tokenizer.encode(utf8: text, addingSpecialTokens: false)
                == tokenizer.encode("a 日", addingSpecialTokens: false))
    }

    /// A second or two each; with work that grows by the square it would be hours. Counted is what
    /// this thread uses of a processor, which other work on the machine doesn't change.
    @Test(arguments: ["gpt2.json", "qwen2.json", "sp-bpe.model", "sp-unigram.model"])
    func aMegabyteIsEncodedInLinearTime(name: String) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        let words = [
            "licence", " x", "a", "日", "1", "the cat \n", name.hasSuffix("json") ? " " : "b",
        ]
        for word in words {
            let text = String(repeating: word, count: 1_000_000 / word.utf8.count)
            let before = Self.processorSeconds
            #expect(!(try tokenizer.encode(text, addingSpecialTokens: false)).isEmpty)
            #expect(Self.processorSeconds - before < 60)
        }
    }

    /// Of this thread.
    private static var processorSeconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec
    }

    @Test func specialTokensStandForNoText() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2.json")
        let end = try #require(tokenizer.token(spelled: "<|im_end|>"))
        #expect(tokenizer.isSpecial(end))
        #expect(tokenizer.bytes(of: end).isEmpty)
        #expect(tokenizer.spelling(of: end) == Array("<|im_end|>".utf8))
        #expect(tokenizer.bytes(of: -1).isEmpty && tokenizer.bytes(of: 1 << 40).isEmpty)
    }

    @Test func configurationDecidesAboutBeginningAndEnd() throws {
        let text = "the"
        let plain = try Fixtures.tokenizer("sp-bpe.model")
        let word = try plain.encode(text, addingSpecialTokens: false)
        #expect(try plain.encode(text, addingSpecialTokens: true) == [1] + word)
        let without = try Fixtures.tokenizer("sp-bpe.model", ["add_bos_token": .bool(false)])
        #expect(try without.encode(text, addingSpecialTokens: true) == word)
        let both = try Fixtures.tokenizer("sp-bpe.model", ["add_eos_token": .bool(true)])
        #expect(try both.encode(text, addingSpecialTokens: true) == [1] + word + [2])
        #expect(plain.beginningToken == 1)
        #expect(plain.endTokens == [2])
    }

    @Test func legacyVocabulariesPutASpaceAfterASpecialToken() throws {
        let modern = try Fixtures.tokenizer("sp-bpe.model")
        let legacy = try Fixtures.tokenizer("sp-bpe.model", ["legacy": .bool(true)])
        let word = try modern.encode("the", addingSpecialTokens: false)
        #expect(try legacy.encode("<s>the", addingSpecialTokens: false) == [1] + word)
        #expect(try modern.encode("<s>the", addingSpecialTokens: false) != [1] + word)
    }

    @Test func configurationAddsTokensAfterTheModelsOwn() throws {
        let count = try Fixtures.tokenizer("sp-bpe.model").tokenCount
        let token: JSONObject = ["content": .string("<|x|>"), "special": .bool(true)]
        let tokenizer = try Fixtures.tokenizer(
            "sp-bpe.model", ["added_tokens_decoder": .object(["\(count)": .object(token)])])
        #expect(tokenizer.tokenCount == count + 1)
        #expect(try tokenizer.encode("<|x|>", addingSpecialTokens: false) == [count])
        let error = #expect(throws: TokenizationError.self) {
            try Fixtures.tokenizer(
                "sp-bpe.model", ["added_tokens_decoder": .object(["\(count + 5)": .object(token)])])
        }
        #expect(
            error?.description
                == "The token '<|x|>' has the id \(count + 5), but the next free id is \(count).")
    }

    @Test func aByteWithoutATokenBecomesTheUnknownTokenOrNothing() throws {
        let dropped = try Fixtures.tokenizer(json: Fixtures.tokenizerJSON())
        #expect(try dropped.encode("abxxa", addingSpecialTokens: false) == [2, 0])
        let unknown = try Fixtures.tokenizer(
            json: Fixtures.tokenizerJSON(model: #","unk_token":"b""#))
        #expect(try unknown.encode("axxa", addingSpecialTokens: false) == [2, 1, 0])
    }

    @Test func mergesMayBePairs() throws {
        let pairs = try Fixtures.tokenizer(json: Fixtures.tokenizerJSON(merges: #"[["a","b"]]"#))
        #expect(try pairs.encode("ab", addingSpecialTokens: false) == [2])
    }

    @Test(arguments: [
        ("Isolated", [0, 1, 1, 0]), ("Removed", [0, 0]), ("MergedWithPrevious", [2, 1, 0]),
        ("MergedWithNext", [0, 1, 3]), ("Contiguous", [0, 4, 0]),
    ])
    func splitsBehaveAsNamed(behavior: String, expected: [Int]) throws {
        let tokenizer = try Fixtures.tokenizer(
            json: Fixtures.tokenizerJSON(
                vocabulary: #"{"a":0,"b":1,"ab":2,"ba":3,"bb":4}"#, merges: #"["b b","a b","b a"]"#,
                preTokenizer:
                    #"{"type":"Split","pattern":{"String":"b"},"behavior":"\#(behavior)"}"#))
        #expect(try tokenizer.encode("abba", addingSpecialTokens: false) == expected)
    }
}
