import Testing
import Tokenization

@Suite struct StreamingDecoderTests {
    private static let vocabularies = [
        "gpt2.json", "qwen2.json", "sp-bpe.model", "sp-unigram.model", "marks-first.json",
        "unigram-bytes.json",
    ]

    @Test(arguments: vocabularies, [TextPosition.beginning, .continuation])
    func streamedPiecesJoinToTheWholeText(name: String, position: TextPosition) throws {
        let tokenizer = try Fixtures.tokenizer(name)
        var random = SplitMix(state: 20_261_121)
        for _ in 0..<2000 {
            // Low ids are single bytes, most of which break characters.
            let limit = random.next() % 2 == 0 ? UInt64(tokenizer.tokenCount) : 300
            let tokens = (0..<Int(random.next() % 24)).map { _ in Int(random.next() % limit) }
            var decoder = StreamingDecoder(tokenizer, at: position)
            let streamed =
                tokens.flatMap { Array(decoder.append($0).utf8) } + Array(decoder.finish().utf8)
            #expect(streamed == Array(try tokenizer.decode(tokens, at: position).utf8), "\(tokens)")
        }
    }

    @Test func noPieceHoldsPartOfACharacter() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2.json")
        let text = "日本 👍🏽 é"
        var decoder = StreamingDecoder(tokenizer)
        var pieces: [String] = []
        for token in try tokenizer.encode(text, addingSpecialTokens: false) {
            pieces.append(decoder.append(token))
        }
        #expect(pieces.allSatisfy { !$0.unicodeScalars.contains("\u{FFFD}") })
        #expect(pieces.joined() == text)
        #expect(decoder.finish().isEmpty)
    }

    @Test func anUnfinishedCharacterEndsAsReplacements() throws {
        let tokenizer = try Fixtures.tokenizer("sp-bpe.model")
        let bytes = try ["<0xF0>", "<0x9F>"].map { try #require(tokenizer.token(spelled: $0)) }
        var decoder = StreamingDecoder(tokenizer)
        #expect(bytes.map { decoder.append($0) } == ["", ""])
        #expect(decoder.finish() == "\u{FFFD}\u{FFFD}")
    }

    @Test func aContinuationKeepsItsLeadingSpace() throws {
        let tokenizer = try Fixtures.tokenizer("sp-bpe.model")
        let word = try #require(tokenizer.token(spelled: "▁the"))
        #expect(try tokenizer.decode([word]) == "the")
        #expect(try tokenizer.decode([word, word]) == "the the")
        #expect(try tokenizer.decode([word], at: .continuation) == " the")
        var decoder = StreamingDecoder(tokenizer)
        #expect(decoder.append(word) == " the")
    }

    @Test func tokensOutsideTheVocabularyAreNamed() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2.json")
        let error = #expect(throws: TokenizationError.self) { try tokenizer.decode([99_999]) }
        #expect(
            error?.description
                == "The token id 99999 is not in the vocabulary, whose ids are 0 to "
                + "\(tokenizer.tokenCount - 1).")
    }
}

/// A small random generator with a fixed seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
