import Checkpoints
import StrictJSON
import Testing

@Suite struct GGUFKeysTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func open(_ change: (inout GGUFFixture) -> Void) throws -> BaseCheckpoint {
        var fixture = GGUFFixture.model()
        fixture.set("llama.vocab_size", 4)
        change(&fixture)
        return try BaseCheckpoint.open(path: directory.write(fixture.file, "g"))
    }

    private func expect(
        _ description: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout GGUFFixture) -> Void
    ) {
        expectFailure(description, in: directory.place("g"), sourceLocation: sourceLocation) {
            _ = try open(change)
        }
    }

    private func rotary(_ change: (inout GGUFFixture) -> Void) throws -> JSONValue? {
        try open(change).configuration["rope_scaling"]
    }

    private func linear(_ factor: Double) -> JSONValue {
        .object(["rope_type": .string("linear"), "factor": .number(factor)])
    }

    @Test func aFactorWithoutTypeIsLinear() throws {
        #expect(try rotary { $0.set("llama.rope.scaling.factor", real: 4) } == linear(4))
    }

    @Test func theOlderNameOfTheFactorIsRead() throws {
        #expect(try rotary { $0.set("llama.rope.scale_linear", real: 4) } == linear(4))
        #expect(
            try rotary {
                $0.set("llama.rope.scale_linear", real: 4)
                $0.set("llama.rope.scaling.factor", real: 2)
            } == linear(2))
    }

    @Test func noFactorIsNoScaling() throws {
        #expect(try rotary { $0.set("llama.rope.scaling.type", "linear") } == nil)
        #expect(try rotary { $0.set("llama.rope.scaling.factor", real: 0) } == nil)
        #expect(try rotary { $0.set("llama.rope.scaling.factor", real: 1) } == nil)
        #expect(
            try rotary {
                $0.set("llama.rope.scaling.type", "none")
                $0.set("llama.rope.scaling.factor", real: 4)
            } == nil)
    }

    @Test func divisorsAndAFactorActTogether() throws {
        let scaling = try rotary {
            $0.set("llama.rope.scaling.factor", real: 2)
            $0.add("rope_freqs.weight", dimensions: [1], [8])
        }
        #expect(
            scaling
                == .object(["rope_type": .string("divisors"), "divisors": .array([.number(16)])]))
    }

    @Test func otherScalingIsNamed() {
        expect(
            "PATH: key 'llama.rope.scaling.type' is 'odd', and supported are linear, yarn and none"
        ) { $0.set("llama.rope.scaling.type", "odd") }
        expect(
            "PATH: key 'llama.rope.scaling.attn_factor' is 1.5, which is of yarn and of tables of "
                + "factors, and the file has neither"
        ) { $0.set("llama.rope.scaling.attn_factor", real: 1.5) }
    }

    @Test func yarnIsRead() throws {
        func yarn(_ more: JSONObject) -> JSONValue {
            let settings: JSONObject = [
                "rope_type": .string("yarn"), "factor": .number(4),
                "original_max_position_embeddings": .integer(8),
            ]
            var all = settings
            for (key, value) in more { all[key] = value }
            return .object(all)
        }
        func rotary(_ change: (inout GGUFFixture) -> Void) throws -> JSONValue? {
            try self.rotary {
                $0.set("llama.rope.scaling.type", "yarn")
                $0.set("llama.rope.scaling.factor", real: 4)
                $0.set("llama.rope.scaling.original_context_length", 8)
                change(&$0)
            }
        }
        #expect(try rotary { _ in } == yarn([:]))
        #expect(
            try rotary {
                $0.set("llama.rope.scaling.yarn_beta_fast", real: 16)
                $0.set("llama.rope.scaling.yarn_beta_slow", real: 2)
                $0.set("llama.rope.scaling.yarn_attn_factor", real: 1.5)
            }
                == yarn([
                    "beta_fast": .number(16), "beta_slow": .number(2),
                    "attention_factor": .number(1.5),
                ]))
        expect(
            "PATH: key 'llama.rope.scaling.yarn_ext_factor' is 0.5, and can't be served: YaRN in "
                + "part isn't served"
        ) { $0.set("llama.rope.scaling.yarn_ext_factor", real: 0.5) }
    }

    @Test func headsOfAnotherSizeAreNamed() {
        expect(
            "PATH: key 'llama.attention.value_length' is 4, and a head has 2: values of another size "
                + "than keys aren't served yet"
        ) { $0.set("llama.attention.value_length", 4) }
        expect(
            "PATH: key 'llama.rope.dimension_count' is 2, and a head has 4: this architecture turns "
                + "whole heads"
        ) { $0.set("llama.attention.key_length", 4) }
    }

    /// A window makes Mistral of Llama, and leaves the context alone.
    @Test func aWindowIsServed() throws {
        let base = try open { $0.set("llama.attention.sliding_window", 8) }
        #expect(base.configuration["model_type"] == .string("mistral"))
        #expect(base.configuration["sliding_window"] == .integer(8))
        #expect(base.configuration["max_position_embeddings"] == .integer(16))
        #expect(base.warnings.isEmpty)
        let none = try open { $0.set("llama.attention.sliding_window", 0) }
        #expect(none.configuration["model_type"] == .string("llama"))
        #expect(none.configuration["sliding_window"] == nil)
    }

    @Test func refusedKeysAreNamed() throws {
        expect(
            "PATH: key 'llama.attention.causal' is false, and can't be served: other architectures "
                + "have it"
        ) { $0.set("llama.attention.causal", false) }
        expect(
            "PATH: key 'llama.logit_scale' is 0.5, and can't be served: other architectures have it"
        ) { $0.set("llama.logit_scale", real: 0.5) }
        #expect(try open { $0.set("llama.logit_scale", real: 1) }.warnings.isEmpty)
        for type in ["adapter", "mmproj", "vocab"] {
            expect("PATH: this is a GGUF file of type '\(type)', not a base model") {
                $0.set("general.type", type)
            }
        }
        #expect(try open { $0.set("general.type", "model") }.warnings.isEmpty)
    }

    @Test func unknownKeysAreNamed() throws {
        let base = try open {
            $0.set("llama.odd", 1)
            $0.set("general.name", "x")
            $0.set("qwen2.context_length", 1)
        }
        #expect(base.warnings.count == 1)
        #expect(
            base.warnings.first?.contains("'llama.odd', 'qwen2.context_length' are keys") == true)
    }

    @Test func keysHaveALimit() throws {
        for (count, isRead) in [(4095, true), (4096, true), (4097, false)] {
            var fixture = GGUFFixture()
            for key in 0..<count { fixture.set("k\(key)", 1) }
            let path = try directory.write(fixture.file, "keys")
            if isRead {
                #expect(try GGUFFile(path: path).tensorNames.isEmpty)
            } else {
                expectFailure("PATH: too many keys: 4097, the limit is 4096", in: path) {
                    _ = try GGUFFile(path: path)
                }
            }
        }
    }

    @Test func aLongHeadIsRead() throws {
        // Longer than what is read at first.
        let template = String(repeating: "x", count: 17 << 20)
        let base = try open {
            $0.set("tokenizer.chat_template.long", template)
            $0.add("token_embd.weight", dimensions: [1, 4], [1, 2, 3, 4])
        }
        #expect(try base.tensors.requiredTensor("model.embed_tokens.weight").floats().last == 4)
    }
}
