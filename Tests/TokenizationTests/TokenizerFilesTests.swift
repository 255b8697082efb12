import Checkpoints
import StrictJSON
import Testing
import Tokenization

/// What the files beside a vocabulary name, against transformers, tokenizers and sentencepiece; see
/// tools/goldens/tokenizer_files.py.
@Suite struct TokenizerFilesTests {
    private static func section(_ name: String) throws -> [JSONValue] {
        try #require(try Fixtures.json("tokenizer-files.json").objectValue?[name]?.arrayValue)
    }

    private func tokenizer(_ files: JSONObject) throws -> any Tokenizer {
        var assets = TokenizerAssets(
            vocabulary: .tokenizerJSON(try Fixtures.bytes("gpt2.json")))
        assets.tokenizerConfig = files["tokenizer_config.json"]?.objectValue
        assets.specialTokensMap = files["special_tokens_map.json"]?.objectValue
        assets.addedTokens = files["added_tokens.json"]?.objectValue
        return try TokenizerLoader.load(assets)
    }

    @Test func namedTokensAreAddedAsByTransformers() throws {
        for entry in try Self.section("added").compactMap(\.objectValue) {
            let tokenizer = try tokenizer(try #require(entry["files"]?.objectValue))
            #expect(tokenizer.tokenCount == entry["size"]?.intValue, "\(entry["files"] as Any)")
            for item in (entry["texts"]?.arrayValue ?? []).compactMap(\.arrayValue) {
                let text = try #require(item[0].stringValue)
                let tokens = try tokenizer.encode(text, addingSpecialTokens: true)
                #expect(tokens == item[1].integers, "\(text) \(entry["files"] as Any)")
                #expect(try tokenizer.decode(tokens) == item[2].stringValue)
            }
        }
    }

    @Test func anIDThatATokenDoesNotGetIsTold() throws {
        let token: JSONValue = .object(["content": .string("<x>"), "special": .bool(true)])
        let tokenizer = try tokenizer([
            "tokenizer_config.json": .object(["added_tokens_decoder": .object(["2000": token])])
        ])
        #expect(tokenizer.additionalTokenCount == 1)
        #expect(
            tokenizer.warnings == [
                "the token '<x>' has the id 1003, as in transformers, though the tokenizer's files give "
                    + "it 2000"
            ])
    }

    @Test func specialTokensInPlainTextAreText() throws {
        for item in try Self.section("plain").compactMap(\.arrayValue) {
            let tokenizer = try Fixtures.tokenizer(try #require(item[0].stringValue))
            let text = try #require(item[1].stringValue)
            let tokens = try tokenizer.encode(
                text, addingSpecialTokens: false, specialTokens: .text)
            #expect(tokens == item[2].integers, "\(item[0]) \(text)")
        }
    }

    @Test func bytesThatAreNoTextBecomeWhatTheReferenceMakesOfThem() throws {
        for item in try Self.section("decoding").compactMap(\.arrayValue) {
            let tokenizer = try Fixtures.tokenizer(try #require(item[0].stringValue))
            let expected = try #require(item[2].stringValue)
            #expect(
                Array(try tokenizer.decode(item[1].integers).utf8) == Array(expected.utf8),
                "\(item[0]) \(item[1].integers)")
        }
    }

    @Test func aSentencePieceModelGetsNamedTokensToo() throws {
        let tokenizer = try Fixtures.tokenizer(
            "sp-bpe.model", ["pad_token": .string("[PAD]"), "eos_token": .string("</s>")])
        let plain = try Fixtures.tokenizer("sp-bpe.model")
        #expect(tokenizer.tokenCount == plain.tokenCount + 1)
        #expect(tokenizer.additionalTokenCount == 1)
        #expect(
            try tokenizer.encode("[PAD]", addingSpecialTokens: false) == [plain.tokenCount])
        #expect(tokenizer.isSpecial(plain.tokenCount))
    }

    @Test func idsOfRowsWithoutATokenStandForNoText() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2.json")
        let tokens = try tokenizer.encode("ab", addingSpecialTokens: false)
        let padded = tokens + [tokenizer.tokenCount, tokenizer.tokenCount + 20]
        #expect(try tokenizer.decode(padded, rowCount: tokenizer.tokenCount + 21) == "ab")
        #expect(throws: TokenizationError.self) {
            try tokenizer.decode(padded, rowCount: tokenizer.tokenCount + 20)
        }
    }

    /// The same letter written in two ways is two tokens.
    @Test func spellingsAreComparedByTheirBytes() throws {
        let composed = "\u{E9}"
        let decomposed = "e\u{301}"
        let tokenizer = try Fixtures.tokenizer(
            json: Fixtures.tokenizerJSON(
                vocabulary: #"{"a":0,"\#(composed)":1,"\#(decomposed)":2,"e":3}"#, merges: "[]",
                added: """
                    [{"id":4,"content":"<\(composed)>","normalized":false},
                    {"id":5,"content":"<\(decomposed)>","normalized":false}]
                    """,
                preTokenizer: "null", decoder: #"{"type":"Sequence","decoders":[{"type":"Fuse"}]}"#)
        )
        #expect(tokenizer.token(spelled: composed) == 1)
        #expect(tokenizer.token(spelled: decomposed) == 2)
        #expect(
            try tokenizer.encode("<\(decomposed)><\(composed)>", addingSpecialTokens: false) == [
                5, 4,
            ])
        #expect(Array(try tokenizer.decode([1, 2]).utf8) == Array((composed + decomposed).utf8))
    }

    @Test func keysOfTheFilesAreKnownOrTold() throws {
        let config: JSONObject = [
            "tokenizer_class": .string("X"), "model_max_length": .integer(7),
            "do_lower_case": .bool(true), "fix_mistral_regex": .bool(false),
            "brand_new": .integer(1),
        ]
        let tokenizer = try Fixtures.tokenizer("gpt2.json", config)
        #expect(
            tokenizer.warnings == [
                "tokenizer_config.json: 'do_lower_case' is not applied: transformers writes text in "
                    + "small letters first where it is true",
                "tokenizer_config.json: 'brand_new': not known here, so without effect; what the model "
                    + "was trained with may differ",
            ])
        var many = JSONObject()
        for index in 0..<600 { many["key\(index)"] = .integer(1) }
        let warnings = try Fixtures.tokenizer("gpt2.json", many).warnings
        #expect(warnings.count == 1)
        #expect(warnings[0].contains("'key7' and 592 more keys: not known here"))
        let names = TokenizerKeys.known.map { "\($0.file) \($0.name)" }
        #expect(Set(names).count == names.count)
    }
}
