import Testing
import Tokenization

@Suite struct TokenizerJSONMalformedTests {
    /// Every malformed file is answered with one sentence.
    @Test(arguments: [
        (#"{"a":0,"b":0}"#, "[]", "The tokens 'a' and 'b' have the same id 0."),
        (
            #"{"a":-1}"#, "[]",
            "The token 'a' has the id -1, but an id must be an integer from 0 to 65535."
        ),
        (
            #"{"a":0,"b":4000000000}"#, "[]",
            "The token 'b' has the id 4000000000, but an id must be an integer from 0 to 65535."
        ),
        (#"{"a":0.5}"#, "[]", "The token 'a' has the id 0.5, but an id must be an integer."),
        ("{}", "[]", "tokenizer.json.model.vocab must be a vocabulary, but it is empty."),
        (#"{"a":0}"#, #"["a"]"#, "merge 0: 'a' is not two tokens with a space between."),
        (#"{"a":0}"#, #"["a b c"]"#, "merge 0: 'a b c' is not two tokens with a space between."),
        (#"{"a":0}"#, #"["a b"]"#, "merge 0: 'b' is not in the vocabulary."),
        (#"{"a":0}"#, #"["a a"]"#, "merge 0: 'aa' is not in the vocabulary."),
        (#"{"a":0}"#, #"[["a"]]"#, "merge 0: it is an array, not two tokens."),
        (
            #"{"a":0}"#, #"["a aaaaaaaaaaaaaaaa"]"#,
            "merge 0: 'aaaaaaaaaaaaaaaa' is not in the vocabulary."
        ),
    ])
    func vocabulariesAndMerges(vocabulary: String, merges: String, expected: String) {
        expect(Fixtures.tokenizerJSON(vocabulary: vocabulary, merges: merges), expected)
    }

    @Test func unsupportedPartsAreNamed() {
        expect(
            Fixtures.tokenizerJSON(preTokenizer: #"{"type":"Whitespace"}"#),
            "The pre-tokenizer 'Whitespace' is not supported; supported: ByteLevel, Digits, Metaspace, "
                + "Sequence, Split."
        )
        expect(
            Fixtures.tokenizerJSON(normalizer: #"{"type":"Lowercase"}"#),
            "The normalizer 'Lowercase' is not supported; supported: NFC, Prepend, Replace, Sequence."
        )
        expect(
            Fixtures.tokenizerJSON(
                normalizer: #"{"type":"Replace","pattern":{"Regex":" +"},"content":" "}"#),
            "The replacement of the regular expression ' +' is not supported; supported: replacements of "
                + "a text.")
        expect(
            Fixtures.tokenizerJSON(decoder: #"{"type":"WordPiece"}"#),
            "The tokenizer decoder 'WordPiece' is not supported; supported: ByteLevel, Metaspace, Sequence."
        )
        let longer = #"{"type":"Replace","pattern":{"String":"a"},"content":"aaaaa"}"#
        for steps in [longer + "," + longer, #"{"type":"Prepend","prepend":"12345678901234567"}"#] {
            let normalizer = #"{"type":"Sequence","normalizers":[\#(steps)]}"#
            let field = steps.hasPrefix(longer) ? "" : ".normalizers[0].prepend"
            expect(
                Fixtures.tokenizerJSON(normalizer: normalizer),
                "tokenizer.json.normalizer\(field) must be such that a text becomes at most 16 times as "
                    + "long, but it is such that it may become longer.")
        }
        let strip = #"{"type":"Strip","content":" ","start":1,"stop":0}"#
        expect(
            Fixtures.tokenizerJSON(decoder: #"{"type":"Sequence","decoders":[\#(strip)]}"#),
            "The tokenizer decoder's step 'Strip' is not supported; supported: Replace, ByteFallback, Fuse, "
                + "Strip, Metaspace.")
        expect(
            Fixtures.tokenizerJSON(
                decoder: #"{"type":"Sequence","decoders":[{"type":"Fuse"},"#
                    + strip.replacing("1", with: "2") + "]}"),
            "tokenizer.json.decoder.decoders[1].start must be 0 or 1, but it is 2.")
        expect(
            Fixtures.tokenizerJSON(
                preTokenizer: #"{"type":"Metaspace","replacement":"_","prepend_scheme":"last"}"#),
            "The prepend scheme 'last' is not supported; supported: always, first, never.")
        expect(
            Fixtures.tokenizerJSON(preTokenizer: #"{"type":"Metaspace","replacement":""}"#),
            "tokenizer.json.pre_tokenizer.replacement must be one character, but it is ''.")
        expect(
            Fixtures.tokenizerJSON(postProcessor: #"{"type":"BertProcessing"}"#),
            "The post-processor 'BertProcessing' is not supported; supported: ByteLevel, Sequence, "
                + "TemplateProcessing.")
        expect(
            Fixtures.tokenizerJSON().replacing(#""type":"BPE""#, with: #""type":"WordPiece""#),
            "The tokenizer model 'WordPiece' is not supported; supported: BPE, Unigram.")
    }

    @Test(arguments: [
        ("{}", "0", "tokenizer.json.model.vocab must be an array, but it is an object."),
        ("[]", "0", "tokenizer.json.model.unk_id must be a token of the vocabulary, but it is 0."),
        (
            #"[["a",0]]"#, "null",
            "tokenizer.json.model.unk_id must be an integer from 0 up, but it is missing."
        ),
        (
            #"[["a",0],["b"]]"#, "0",
            "tokenizer.json.model.vocab[1] must be a piece and its score, but it is [\"b\"]."
        ),
        (
            #"[["a",0],["a",-1]]"#, "0",
            "The token 'a' has the id 1, but the vocabulary gives it the id 0 as well."
        ),
        (
            #"[["<unk>",0],["",-1]]"#, "0",
            "The SentencePiece model's piece 1 is invalid: it is empty."
        ),
        (
            #"[["<unk>",0],["b",1e300]]"#, "0",
            "The SentencePiece model's piece 1 is invalid: its score is inf."
        ),
    ])
    func unigramVocabularies(vocabulary: String, unknown: String, expected: String) {
        expect(
            Fixtures.tokenizerJSON(vocabulary: vocabulary, model: #","unk_id":\#(unknown)"#)
                .replacing(#""type":"BPE""#, with: #""type":"Unigram""#), expected)
    }

    @Test func undefinedSpecialTokensAreNamed() {
        expect(
            Fixtures.tokenizerJSON(
                postProcessor:
                    #"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]"}}],"#
                    + #""special_tokens":{}}"#),
            "tokenizer.json.post_processor.single names the special token '[CLS]', which is not defined."
        )
        expect(
            Fixtures.tokenizerJSON(model: #","unk_token":"?""#),
            "tokenizer.json.model.unk_token names the special token '?', which is not defined.")
    }

    @Test func badPatternsAreNamed() {
        expect(
            split("(a"),
            "The regular expression '(a' is invalid at byte 2: missing closing parenthesis.")
        expect(
            split("[a&&b]"),
            "The regular expression '[a&&b]' is invalid at byte 2: classes inside classes are not supported."
        )
    }

    @Test func anEndlessPatternIsABoundedError() throws {
        let tokenizer = try Fixtures.tokenizer(json: split("(a+)+$"))
        let error = #expect(throws: TokenizationError.self) {
            try tokenizer.encode(
                String(repeating: "a", count: 60) + "b", addingSpecialTokens: false)
        }
        #expect(
            error?.description
                == "The regular expression '(a+)+$' needs too many steps on this text.")
    }

    @Test func deeplyNestedStepsAreRefused() {
        let open = String(repeating: #"{"type":"Sequence","pretokenizers":["#, count: 20)
        let close = String(repeating: "]}", count: 20)
        let error = #expect(throws: TokenizationError.self) {
            try Fixtures.tokenizer(json: Fixtures.tokenizerJSON(preTokenizer: open + close))
        }
        #expect(
            error?.description.contains("must be nested at most 8 deep, but it is deeper.") == true)
    }

    @Test func anAddedTokenMustAgreeWithTheVocabulary() {
        expect(
            Fixtures.tokenizerJSON(added: #"[{"id":1,"content":"a"}]"#),
            "The tokens 'b' and 'a' have the same id 1.")
        expect(
            Fixtures.tokenizerJSON(added: #"[{"id":7,"content":"a"}]"#),
            "The token 'a' has the id 7, but the vocabulary gives it the id 0 as well.")
        expect(
            Fixtures.tokenizerJSON(added: #"[{"id":"7","content":"z"}]"#),
            "tokenizer.json.added_tokens[0].id must be an integer from 0 up, but it is a string.")
    }

    private func split(_ pattern: String) -> String {
        Fixtures.tokenizerJSON(
            preTokenizer:
                #"{"type":"Split","pattern":{"Regex":"\#(pattern)"},"behavior":"Isolated"}"#)
    }

    private func expect(
        _ json: String, _ description: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: TokenizationError.self, sourceLocation: sourceLocation) {
            try Fixtures.tokenizer(json: json)
        }
        #expect(error?.description == description, sourceLocation: sourceLocation)
    }
}
