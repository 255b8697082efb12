import Checkpoints
import Foundation
import StrictJSON
import Testing

@Suite struct BaseCheckpointTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private let weights = SafetensorsFixture.floats([("a", [1], [1])])
    private let byteLevel = #"{"model":{"type":"BPE"},"decoder":{"type":"ByteLevel"}}"#
    private let unigram = #"{"model":{"type":"Unigram"},"pre_tokenizer":{"type":"Metaspace"}}"#

    @Test func directoriesAreOpened() throws {
        try directory.write(#"{"model_type":"llama","eos_token_id":2}"#, "config.json")
        try directory.write(weights, "model.safetensors")
        let base = try BaseCheckpoint.open(path: directory.path)
        #expect(base.kind == .huggingFace)
        #expect(base.configuration["model_type"] == .string("llama"))
        #expect(base.tensors.tensorNames == ["a"])
        #expect(base.tokenizer == nil)
        #expect(!base.layout.queryKeyRowsArePermuted)
    }

    @Test func tokenizerFilesAreTakenAlong() throws {
        try directory.write(#"{"eos_token_id":2}"#, "config.json")
        try directory.write(weights, "model.safetensors")
        try directory.write(byteLevel, "tokenizer.json")
        try directory.write([1, 2], "tokenizer.model")
        try directory.write(#"{"eos_token_id":[2,7]}"#, "generation_config.json")
        try directory.write(#"{"chat_template":"T"}"#, "tokenizer_config.json")
        try directory.write(#"{"bos_token":"<s>"}"#, "special_tokens_map.json")
        try directory.write(#"{"<x>":9}"#, "added_tokens.json")
        var assets = try #require(try BaseCheckpoint.open(path: directory.path).tokenizer)
        #expect(assets.vocabulary == .tokenizerJSON([UInt8](byteLevel.utf8)))
        #expect(assets.chatTemplate == "T")
        #expect(assets.configurationEndTokens == [2, 7])
        #expect(assets.specialTokensMap == ["bos_token": .string("<s>")])
        #expect(assets.addedTokens == ["<x>": .integer(9)])
        try directory.write("J", "chat_template.jinja")
        assets = try #require(try BaseCheckpoint.open(path: directory.path).tokenizer)
        #expect(assets.chatTemplate == "J")
    }

    /// Where templates are kept: each place alone, and which wins.
    @Test func chatTemplatesAreFoundWhereTheyAreKept() throws {
        try directory.write("{}", "config.json")
        try directory.write(weights, "model.safetensors")
        try directory.write(byteLevel, "tokenizer.json")
        func assets() throws -> TokenizerAssets {
            try #require(try BaseCheckpoint.open(path: directory.path).tokenizer)
        }
        try directory.write(#"{"chat_template":"P"}"#, "chat_template.json")
        #expect(try assets().chatTemplate == "P")
        try directory.write(
            #"{"chat_template":[{"name":"tool_use","template":"U"},{"name":"default","template":"D"}]}"#,
            "tokenizer_config.json")
        #expect(try assets().chatTemplate == "D")
        #expect(try assets().chatTemplateNames == ["tool_use"])
        try directory.write(#"{"chat_template":{"default":"O","x":"X"}}"#, "tokenizer_config.json")
        #expect(try assets().chatTemplate == "O")
        try directory.write(
            #"{"chat_template":[{"name":"tool_use","template":"U"}]}"#, "tokenizer_config.json")
        #expect(try assets().chatTemplate == nil)
        #expect(try assets().chatTemplateNames == ["tool_use"])
        try directory.write("J", "chat_template.jinja")
        #expect(try assets().chatTemplate == "J")
        try FileManager.default.createDirectory(
            atPath: directory.path + "/additional_chat_templates", withIntermediateDirectories: true
        )
        try directory.write("R", "additional_chat_templates/rag.jinja")
        #expect(try assets().chatTemplateNames == ["rag"])
    }

    /// Tokens of an adapter's `added_tokens.json` join those that the base's configuration adds.
    @Test func anAdaptersAddedTokensJoinTheBases() throws {
        var base = TokenizerAssets(vocabulary: .tokenizerJSON([UInt8](byteLevel.utf8)))
        base.tokenizerConfig = [
            "added_tokens_decoder": .object(["93": .object(["content": .string("<a>")])]),
            "chat_template": .string("B"),
        ]
        let files = TokenizerFileSet(
            contents: [
                "added_tokens.json": [UInt8](#"{"<a>":93,"<b>":94}"#.utf8),
                "chat_template.jinja": [UInt8]("A".utf8),
            ], directory: "adapter")
        let own = try #require(try files.assets(over: base))
        let decoder = try #require(own.tokenizerConfig?["added_tokens_decoder"]?.objectValue)
        #expect(decoder.keys.sorted() == ["93", "94"])
        #expect(decoder["94"] == .object(["content": .string("<b>")]))
        #expect(own.chatTemplate == "A")
        let named = TokenizerFileSet(
            contents: [
                "tokenizer_config.json": [UInt8](
                    #"{"chat_template":[{"name":"rag","template":"R"}]}"#.utf8)
            ], directory: "adapter")
        let without = try #require(try named.assets(over: base))
        #expect(without.chatTemplate == nil)
        #expect(without.tokenizerConfig?["chat_template"] == nil)
        #expect(without.chatTemplateNames == ["rag"])
    }

    @Test func namedTemplatesOfAGGUFAreSeen() throws {
        var fixture = GGUFFixture.model()
        fixture.add("token_embd.weight", dimensions: [4, 4], [Float](repeating: 1, count: 16))
        fixture.set("tokenizer.chat_template.tool_use", "U")
        let path = try directory.write(fixture.file, "m.gguf")
        let assets = try #require(try BaseCheckpoint.open(path: path).tokenizer)
        #expect(assets.chatTemplate == "{{ messages }}")
        #expect(assets.chatTemplateNames == ["tool_use"])
        #expect(try TokenizerAssets(metadata: assets.metadata()) == assets)
    }

    @Test func sentencePieceModelsWinOverOtherTokenizerFiles() throws {
        try directory.write("{}", "config.json")
        try directory.write(weights, "model.safetensors")
        try directory.write(unigram, "tokenizer.json")
        var assets = try #require(try BaseCheckpoint.open(path: directory.path).tokenizer)
        #expect(assets.vocabulary == .tokenizerJSON([UInt8](unigram.utf8)))
        try directory.write([1, 2], "tokenizer.model")
        assets = try #require(try BaseCheckpoint.open(path: directory.path).tokenizer)
        #expect(assets.vocabulary == .sentencePiece(modelBytes: [1, 2]))
    }

    @Test func singleFilesNeedTheirConfiguration() throws {
        let path = try directory.write(weights, "some.bin")
        let hint =
            "a base is a Hugging Face directory, a .safetensors with config.json beside it, a "
            + ".gguf or a model.bin"
        expectFailure("PATH has no config.json; \(hint)", in: directory.path) {
            _ = try BaseCheckpoint.open(path: path)
        }
        try directory.write("{}", "config.json")
        #expect(try BaseCheckpoint.open(path: path).kind == .safetensors)
    }

    @Test func directoriesWithoutSafetensorsSayWhatIsMissing() throws {
        try directory.write("{}", "config.json")
        expectFailure(
            "PATH has no model.safetensors; nor model.safetensors.index.json: the weights are missing",
            in: directory.path
        ) { _ = try BaseCheckpoint.open(path: directory.path) }
        try directory.write([0x80, 2], "pytorch_model.bin")
        expectFailure(
            "PATH has no model.safetensors; pytorch_model.bin is a Python pickle, which is not read; "
                + "convert it with transformers: "
                + "AutoModelForCausalLM.from_pretrained(dir).save_pretrained(dir)",
            in: directory.path
        ) { _ = try BaseCheckpoint.open(path: directory.path) }
        expectFailure("PATH: no such file or directory", in: directory.place("x")) {
            _ = try BaseCheckpoint.open(path: directory.place("x"))
        }
    }

    @Test func brokenConfigurationsAreNamed() throws {
        try directory.write(weights, "model.safetensors")
        try directory.write(#"{"a":1,"a":2}"#, "config.json")
        expectFailure(
            "PATH: not JSON: duplicate key \"a\" at byte 7", in: directory.place("config.json")
        ) { _ = try BaseCheckpoint.open(path: directory.path) }
        try directory.write("[]", "config.json")
        expectFailure(
            "PATH: must hold a JSON object, found an array", in: directory.place("config.json")
        ) { _ = try BaseCheckpoint.open(path: directory.path) }
    }
}

@Suite struct GGUFBaseTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func open(_ fixture: GGUFFixture) throws -> BaseCheckpoint {
        try BaseCheckpoint.open(path: directory.write(fixture.file, "anything"))
    }

    @Test func configurationsAreMadeUp() throws {
        var fixture = GGUFFixture.model()
        fixture.add("token_embd.weight", dimensions: [4, 4], [Float](repeating: 1, count: 16))
        let base = try open(fixture)
        let expected: JSONObject = [
            "architectures": .array([.string("LlamaForCausalLM")]),
            "model_type": .string("llama"), "hidden_act": .string("silu"),
            "hidden_size": .integer(4), "intermediate_size": .integer(8),
            "num_hidden_layers": .integer(1), "num_attention_heads": .integer(2),
            "num_key_value_heads": .integer(1), "rms_norm_eps": .number(0.5),
            "max_position_embeddings": .integer(16), "vocab_size": .integer(4),
            "rope_theta": .number(500), "tie_word_embeddings": .bool(true),
            "attention_bias": .bool(false), "mlp_bias": .bool(false), "bos_token_id": .integer(1),
            "eos_token_id": .integer(2),
        ]
        #expect(base.configuration == expected)
        #expect(base.kind == .gguf)
        #expect(base.layout.queryKeyRowsArePermuted)
        #expect(base.tokenizer?.chatTemplate == "{{ messages }}")
        #expect(base.tokenizer?.configurationEndTokens == [2])
    }

    @Test func namesAreTranslated() throws {
        var fixture = GGUFFixture.model(architecture: "qwen2")
        let names = [
            ("token_embd.weight", "model.embed_tokens.weight"),
            ("blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight"),
            ("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight"),
            ("blk.0.attn_q.bias", "model.layers.0.self_attn.q_proj.bias"),
            ("blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight"),
            ("blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight"),
            ("blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight"),
            ("blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight"),
            ("blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight"),
            ("blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight"),
            ("blk.10.ffn_down.weight", "model.layers.10.mlp.down_proj.weight"),
            ("output_norm.weight", "model.norm.weight"), ("output.weight", "lm_head.weight"),
            ("blk.0.odd.weight", "blk.0.odd.weight"),
        ]
        for (index, name) in names.enumerated() {
            fixture.add(name.0, dimensions: [1, 1], [Float(index)])
        }
        let base = try open(fixture)
        #expect(base.tensors.tensorNames == names.map(\.1))
        for (index, name) in names.enumerated() {
            #expect(try base.tensors.requiredTensor(name.1).floats() == [Float(index)])
            #expect(base.tensors.tensor(name.1)?.name == name.1)
        }
        #expect(!base.layout.queryKeyRowsArePermuted)
        #expect(base.configuration["tie_word_embeddings"] == .bool(false))
        #expect(base.configuration["attention_bias"] == .bool(true))
        #expect(base.configuration["model_type"] == .string("qwen2"))
    }

    @Test func rotaryScalingIsTakenAlong() throws {
        var linear = GGUFFixture.model()
        linear.set("llama.rope.scaling.type", "linear")
        linear.set("llama.rope.scaling.factor", real: 4)
        linear.set("llama.vocab_size", 4)
        #expect(
            try open(linear).configuration["rope_scaling"]
                == .object(["rope_type": .string("linear"), "factor": .number(4)]))
        var divisors = GGUFFixture.model()
        divisors.add("token_embd.weight", dimensions: [4, 1], [1, 2, 3, 4])
        divisors.add("rope_freqs.weight", dimensions: [1], [8])
        let base = try open(divisors)
        #expect(
            base.configuration["rope_scaling"]
                == .object(["rope_type": .string("divisors"), "divisors": .array([.number(8)])]))
        #expect(base.tensors.tensorNames == ["model.embed_tokens.weight"])
    }

    @Test func otherArchitecturesAreNamed() throws {
        let path = try directory.write(GGUFFixture.model(architecture: "mamba").file, "g")
        expectFailure(
            "PATH: architecture 'mamba' is not supported as a base; supported are llama, qwen2, qwen3, "
                + "gemma, gemma2, gemma3, phi2, phi3, smollm3, olmo2, granite, stablelm, gpt2, "
                + "gptneox, falcon, bloom, starcoder2, command-r, glm4, chatglm",
            in: path
        ) { _ = try BaseCheckpoint.open(path: path) }
        var experts = GGUFFixture.model()
        experts.set("llama.expert_count", 8)
        try directory.write(experts.file, "g")
        expectFailure(
            "PATH: architecture 'llama with 8 experts' is not supported as a base; supported are "
                + "dense models", in: path
        ) { _ = try BaseCheckpoint.open(path: path) }
    }

    @Test func missingKeysAreNamed() throws {
        let none = try directory.write(GGUFFixture().file, "g")
        expectFailure("PATH: 'general.architecture' is missing", in: none) {
            _ = try BaseCheckpoint.open(path: none)
        }
        var fixture = GGUFFixture()
        fixture.set("general.architecture", "llama")
        let path = try directory.write(fixture.file, "g")
        expectFailure("PATH: key 'llama.embedding_length' is missing", in: path) {
            _ = try BaseCheckpoint.open(path: path)
        }
    }
}
