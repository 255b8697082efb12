import StrictJSON
import Testing
import Transformer

/// How many heads of keys and values a configuration means that doesn't say.
struct KeyValueHeadsTests {
    /// What `LlamaConfig`, `MistralConfig` and `Qwen2Config` of transformers 5.23 have where the
    /// key is absent.
    @Test(arguments: [("llama", 64), ("mistral", 8), ("qwen2", 32)])
    func whereTheyAreAbsentTheClassDecides(family: String, count: Int) throws {
        #expect(try Self.count([:], family) == count)
    }

    @Test(arguments: ["llama", "mistral", "qwen2"])
    func whereTheyAreStatedThatCounts(family: String) throws {
        #expect(try Self.count(["num_key_value_heads": .integer(16)], family) == 16)
        #expect(try Self.count(["num_key_value_heads": .null], family) == 64)
    }

    private static func count(_ changes: JSONObject, _ family: String) throws -> Int {
        var object: JSONObject = [
            "model_type": .string(family), "vocab_size": .integer(96),
            "hidden_size": .integer(512), "intermediate_size": .integer(48),
            "num_hidden_layers": .integer(2), "num_attention_heads": .integer(64),
        ]
        for (key, value) in changes { object[key] = value }
        return try DecoderSpec(object, file: "config.json").keyValueHeadCount
    }
}
