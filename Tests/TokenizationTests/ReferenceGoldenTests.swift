import StrictJSON
import Testing
import Tokenization

/// Tokens and texts equal to those of `transformers` and SentencePiece; see
/// tools/goldens/make_tokenizer_goldens.py.
@Suite struct ReferenceGoldenTests {
    @Test(arguments: ["gpt2", "smollm", "llama3", "qwen2", "prefix"])
    func byteLevelTokensEqualTransformers(name: String) throws {
        try compare("\(name).json", "\(name).cases.json")
    }

    @Test(arguments: ["marks-first", "marks-legacy", "marks-gemma", "marks-words"])
    func characterTokensEqualTransformers(name: String) throws {
        // transformers takes the tokens around a text from the file, whatever these say.
        let configuration: JSONObject = [
            "bos_token": .string("<s>"), "eos_token": .string("</s>"),
            "add_bos_token": .bool(true), "add_eos_token": .bool(name == "marks-gemma"),
        ]
        try compare("\(name).json", "\(name).cases.json", configuration)
    }

    @Test(arguments: ["unigram-bytes", "unigram-words"])
    func unigramTokensEqualTransformers(name: String) throws {
        try compare("\(name).json", "\(name).cases.json")
    }

    @Test(arguments: ["sp-bpe", "sp-unigram"])
    func sentencePieceTokensEqualSentencePiece(name: String) throws {
        try compare("\(name).model", "\(name).cases.json")
    }

    private func compare(
        _ vocabulary: String, _ cases: String, _ configuration: JSONObject? = nil
    ) throws {
        let tokenizer = try Fixtures.tokenizer(vocabulary, configuration)
        for item in try #require(try Fixtures.json(cases).arrayValue).compactMap(\.objectValue) {
            let text = try #require(item["text"]?.stringValue)
            let tokens = try tokenizer.encode(text, addingSpecialTokens: false)
            #expect(tokens == item["ids"]?.integers, "\(text.debugDescription)")
            let complete = try tokenizer.encode(text, addingSpecialTokens: true)
            #expect(complete == item["with_specials"]?.integers, "\(text.debugDescription)")
            let decoded = try #require(item["decoded"]?.stringValue)
            #expect(Array(try tokenizer.decode(tokens).utf8) == Array(decoded.utf8))
        }
    }
}
