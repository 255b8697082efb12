import Checkpoints
import StrictJSON
import Testing
import Tokenization

/// A vocabulary inside a GGUF gives the tokens of the file that it was made from.
@Suite struct GGUFVocabularyTests {
    @Test(arguments: [
        ("gpt2", "gpt-2"), ("smollm", "smollm"), ("llama3", "llama-bpe"), ("qwen2", "qwen2"),
    ])
    func bytePairsEqualTheirTokenizerJSON(name: String, preTokenizer: String) throws {
        let file = try #require(try Fixtures.json("\(name).json").objectValue)
        let model = try #require(file["model"]?.objectValue)
        let original = try Fixtures.tokenizer("\(name).json")
        let plainCount = try #require(model["vocab"]?.objectValue).count
        var vocabulary = GGUFVocabulary(
            model: "gpt2", preTokenizer: preTokenizer, pieces: ByteStrings())
        var pieces = [[UInt8]](repeating: [], count: plainCount)
        for (spelling, id) in try #require(model["vocab"]?.objectValue) {
            pieces[try #require(id.intValue)] = Array(spelling.utf8)
        }
        vocabulary.pieces = ByteStrings(pieces)
        vocabulary.types = (0..<plainCount).map { original.isSpecial($0) ? 3 : 1 }
        vocabulary.merges = try #require(model["merges"]?.arrayValue).map { merge in
            merge.stringValue ?? merge.arrayValue?.compactMap(\.stringValue).joined(separator: " ")
                ?? ""
        }
        vocabulary.addsBeginning = false
        let tokenizer = try load(vocabulary)
        for item in try #require(try Fixtures.json("\(name).cases.json").arrayValue) {
            let text = try #require(item.objectValue?["text"]?.stringValue)
            let expected = item.objectValue?["ids"]?.integers ?? []
            guard expected.allSatisfy({ $0 < plainCount }) else { continue }
            #expect(try tokenizer.encode(text, addingSpecialTokens: true) == expected, "\(text)")
        }
    }

    @Test func sentencePiecesAreHandedToTheLibrary() throws {
        let pieces = ["<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "ab", "▁ab", "<sep>"]
        let vocabulary = GGUFVocabulary(
            model: "llama", pieces: ByteStrings(pieces.map { Array($0.utf8) }),
            scores: [0, 0, 0, -4, -5, -6, -1, -2, -3, 0], types: [2, 3, 3, 1, 1, 1, 1, 1, 1, 4],
            beginningToken: 1, endToken: 2, unknownToken: 0, endOfTurnTokens: [9])
        let tokenizer = try load(vocabulary)
        #expect(try tokenizer.encode("ab", addingSpecialTokens: true) == [1, 8])
        #expect(try tokenizer.encode("a<sep>b</s>", addingSpecialTokens: false) == [6, 9, 5, 2])
        #expect(try tokenizer.decode([1, 6, 5, 2, 6]) == "ab a")
        #expect(tokenizer.endTokens == [2, 9])
        var relabelled = vocabulary
        relabelled.types[0] = 3
        #expect(try load(relabelled).encode("ab", addingSpecialTokens: true) == [1, 8])
        var bare = vocabulary
        bare.addsSpacePrefix = false
        #expect(try load(bare).encode("ab", addingSpecialTokens: false) == [7])
    }

    /// Names of `tokenizer.ggml.pre` against llama.cpp and, where a model has them, against
    /// `tokenizers`; see tools/goldens/gguf_vocabularies.py.
    @Test func namedPreTokenizersCutAsLlamaCPP() throws {
        let file = try #require(try Fixtures.json("llama3.json").objectValue)
        let model = try #require(file["model"]?.objectValue)
        var pieces: [[UInt8]] = []
        for (spelling, id) in try #require(model["vocab"]?.objectValue) {
            let id = try #require(id.intValue)
            while pieces.count <= id { pieces.append([]) }
            pieces[id] = Array(spelling.utf8)
        }
        let original = try Fixtures.tokenizer("llama3.json")
        var vocabulary = GGUFVocabulary(model: "gpt2", pieces: ByteStrings(pieces))
        vocabulary.types = pieces.indices.map { original.isSpecial($0) ? 3 : 1 }
        vocabulary.merges = try #require(model["merges"]?.arrayValue).map { merge in
            merge.stringValue ?? merge.arrayValue?.compactMap(\.stringValue).joined(separator: " ")
                ?? ""
        }
        let fixture = try #require(try Fixtures.json("gguf-pre.json").objectValue)
        for entry in (fixture["names"]?.arrayValue ?? []).compactMap(\.objectValue) {
            vocabulary.preTokenizer = entry["pre"]?.stringValue
            var assets = TokenizerAssets(vocabulary: .gguf(vocabulary))
            let tokenizer = try TokenizerLoader.load(assets)
            assets = try assets.inHuggingFaceForm()
            let written = try TokenizerLoader.load(assets)
            for item in (entry["cases"]?.arrayValue ?? []).compactMap(\.arrayValue) {
                let text = try #require(item[0].stringValue)
                let name = vocabulary.preTokenizer ?? "none"
                for each in [tokenizer, written] {
                    let tokens = try each.encode(text, addingSpecialTokens: false)
                    #expect(tokens == item[1].integers, "\(name) \(text.debugDescription)")
                }
            }
            let isGuess = [nil, "default"].contains(vocabulary.preTokenizer)
            #expect(
                tokenizer.warnings.contains { $0.hasPrefix("'tokenizer.ggml.pre' is ") } == isGuess)
        }
    }

    @Test func endTokensAreSpelledAsLlamaCPPHasThem() throws {
        let fixture = try #require(try Fixtures.json("gguf-pre.json").objectValue)
        for entry in (fixture["ends"]?.arrayValue ?? []).compactMap(\.objectValue) {
            let controls = (entry["controls"]?.arrayValue ?? []).compactMap(\.stringValue)
            let pieces = ["a", "b"] + controls
            var vocabulary = GGUFVocabulary(
                model: "gpt2", preTokenizer: "gpt-2",
                pieces: ByteStrings(pieces.map { Array($0.utf8) }))
            vocabulary.types = [1, 1] + controls.map { _ in 3 }
            vocabulary.endToken = 1
            #expect(try load(vocabulary).endTokens == Set(entry["ends"]?.integers ?? []))
            // Spelled so, but no control token: it is text.
            vocabulary.types = pieces.map { _ in 1 }
            #expect(try load(vocabulary).endTokens == [1])
        }
    }

    @Test func anAdaptersTokensJoinAGGUFVocabulary() throws {
        let vocabulary = GGUFVocabulary(
            model: "gpt2", preTokenizer: "gpt-2", pieces: [[97], [98]], types: [1, 1])
        let assets = TokenizerAssets(
            vocabulary: .gguf(vocabulary), addedTokens: ["<x>": .integer(2)])
        let tokenizer = try TokenizerLoader.load(assets)
        #expect(try tokenizer.encode("a<x>b", addingSpecialTokens: false) == [0, 2, 1])
    }

    @Test func unknownKindsAreNamed() {
        expect(
            GGUFVocabulary(model: "bert", pieces: []),
            "The GGUF vocabulary 'bert' is not supported; supported: gpt2, llama.")
        let unknown = GGUFVocabulary(model: "gpt2", preTokenizer: "qwen35", pieces: [])
        let error = #expect(throws: TokenizationError.self) { try load(unknown) }
        #expect(
            error?.description.hasPrefix(
                "The GGUF pre-tokenizer 'qwen35' is not supported; supported: default, gpt-2, ")
                == true)
        expect(
            GGUFVocabulary(model: "gpt2", pieces: []),
            "tokenizer.ggml.tokens must be a vocabulary, but it is empty.")
        expect(
            GGUFVocabulary(model: "gpt2", pieces: [[0xFF]]),
            "tokenizer.ggml.tokens[0] must be UTF-8, but it is not.")
        expect(
            GGUFVocabulary(model: "gpt2", pieces: [[97]], beginningToken: 5, addsBeginning: true),
            "tokenizer.ggml.bos_token_id must be a token of the vocabulary, but it is 5.")
    }

    private func load(_ vocabulary: GGUFVocabulary) throws(TokenizationError) -> any Tokenizer {
        try TokenizerLoader.load(TokenizerAssets(vocabulary: .gguf(vocabulary)))
    }

    private func expect(_ vocabulary: GGUFVocabulary, _ description: String) {
        let error = #expect(throws: TokenizationError.self) { try load(vocabulary) }
        #expect(error?.description == description)
    }
}
