import Adapters
import Foundation
import StrictJSON
import Testing
import Tokenization
import Transformer

/// An adapter's files give tokens to rows with which its base is padded. What it answers is among
/// the situations; these are its texts, against transformers.
struct PaddedVocabularyTests {
    private static let folder = "\(Situation.folder)/padded-vocabulary"

    private func texts() throws -> [(text: String, tokens: [Int])] {
        let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: Self.folder + "/texts.json")))
        return try #require(try JSONValue(parsing: bytes).arrayValue).compactMap(\.objectValue).map
        {
            (
                try #require($0["text"]?.stringValue),
                GoldenCase.integers($0["tokens"] ?? .null).map(Int.init)
            )
        }
    }

    @Test(arguments: ["whole", "added"])
    func theAddedTokensAreTheAdaptersAlone(variant: String) throws {
        let base = try SituationTests.base("L3p")
        let registry = AdapterRegistry(base: base, pool: GoldenTests.pool)
        try registry.load(name: "a", path: Self.folder + "/" + variant)
        let lease = try registry.lease([SelectionEntry(name: "a")])
        #expect(lease.plan.vocabularyCount == 128)
        let own = try #require(lease.tokenizer).tokenizer
        #expect(own.tokenCount == 96)
        for (text, tokens) in try texts() {
            #expect(try own.encode(text, addingSpecialTokens: true) == tokens, "\(text)")
        }
        #expect(registry.list()[0].warnings.isEmpty, "\(registry.list()[0].warnings)")
        // The base's own requests know nothing of them, and its padding stands for nothing.
        let tokenizer = try TokenizerLoader.load(try #require(base.tokenizer))
        #expect(tokenizer.tokenCount == 93)
        let spelled = try tokenizer.encode("<|law|>", addingSpecialTokens: true)
        #expect(!spelled.contains(93))
        #expect(try tokenizer.decode([36, 93, 127], rowCount: 128) == tokenizer.decode([36]))
        #expect(try registry.lease([]).tokenizer == nil)
    }
}
