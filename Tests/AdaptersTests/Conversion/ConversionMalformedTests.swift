import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Testing
import Transformer

/// Files of other formats that can't be read, or can't be said, and the sentence that each gets.
@Suite struct ConversionMalformedTests {
    private let directory: ScratchDirectory
    private let module = "model.layers.0.self_attn.q_proj"

    init() throws { directory = try ScratchDirectory() }

    private func failure(
        _ path: String, to format: AdapterFormat = .peft, base: String? = nil,
        settings: String = "{}"
    ) -> String {
        AdapterFailure.description {
            _ = try AdapterConversion(from: path, basePath: base, settings: settings)
                .write(as: format, to: directory.path + "/out")
        }.replacingOccurrences(of: directory.path + "/", with: "")
    }

    private func stateDict(
        _ tensors: [FloatTensor], metadata: [String: String] = [:]
    ) throws -> String {
        let path = directory.path + "/lora.safetensors"
        try FloatTensor.write(tensors, metadata: metadata, to: path)
        return path
    }

    private var factors: [FloatTensor] {
        [FloatTensor(module + ".lora_A", [2, 16]), FloatTensor(module + ".lora_B", [16, 2])]
    }

    @Test func loralibNeedsAlphaAndPartners() throws {
        #expect(
            failure(try stateDict(factors))
                == "lora.safetensors: 'lora_alpha' is missing: this is not a complete PEFT configuration"
        )
        #expect(
            failure(try stateDict([factors[0]]), settings: #"{"lora_alpha":4}"#)
                == "lora.safetensors: tensor '\(module).lora_B' is missing: '\(module).lora_A' has no "
                + "partner")
        #expect(
            failure(
                try stateDict(factors + [FloatTensor("model.norm.weight", [16])]),
                settings: #"{"lora_alpha":4}"#)
                == "lora.safetensors: unexpected tensor 'model.norm.weight': a state dict of loralib has "
                + "tensors that end in .lora_A, .lora_B and .bias: save it with loralib's "
                + "lora_state_dict")
        #expect(
            failure(try stateDict(factors), settings: #"{"lora_alpha":4,"r":3}"#)
                == "lora.safetensors: tensor '\(module).lora_B' has shape [16, 2], expected [16, 3]: 'r' "
                + "is 3")
    }

    @Test func groupsNeedAnExplanation() throws {
        let merged = try stateDict([
            FloatTensor("h.0.attn.c_attn.lora_A", [4, 16]),
            FloatTensor("h.0.attn.c_attn.lora_B", [32, 2]),
        ])
        #expect(
            failure(merged, settings: #"{"lora_alpha":4}"#)
                == "lora.safetensors: can't be converted: 'h.0.attn.c_attn.lora_A' has 2 groups of rank 2: "
                + "say in 'enable_lora' which of the merged projections they belong to")
        #expect(
            failure(merged, settings: #"{"lora_alpha":4,"enable_lora":[true,true,true]}"#)
                == "lora.safetensors: can't be converted: 'enable_lora' enables 3 projections, "
                + "'h.0.attn.c_attn.lora_A' has 2 groups of rank 2")
    }

    @Test func settingsMayStandInTheMetadata() throws {
        let path = try stateDict(
            factors, metadata: ["format": "loralib", "lora_alpha": "4", "r": "2"])
        let (base, _) = try TinyBase().open(in: directory)
        let adapter = try AdapterReader.read(
            name: "a", path: path, slots: base.slots, base: base, pool: TinyBase.pool)
        #expect(adapter.targets == "q_proj")
    }

    @Test func prefixesThatRotateAreRefused() throws {
        let path = directory.path + "/prefix_encoder.safetensors"
        try FloatTensor.write([FloatTensor("prefix_encoder.embedding.weight", [3, 32])], to: path)
        #expect(
            failure(path, settings: #"{"rotary_on_prefix_keys":true}"#)
                == "prefix_encoder.safetensors: not supported: 'rotary_on_prefix_keys' is true: keys of a "
                + "prefix are not rotated")
        #expect(
            failure(path, settings: #"{"pre_seq_len":4}"#)
                == "prefix_encoder.safetensors: 'pre_seq_len' is 4, expected 3, the tokens of the prefix"
        )
        #expect(
            failure(path)
                == "prefix_encoder.safetensors: can't be converted: PEFT's configuration needs "
                + "'num_layers', which only the base says: give the base")
    }

    @Test func anAdapterHubDirectoryNeedsItsWeights() throws {
        let path = directory.path + "/hub"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        func failure(_ config: String) throws -> String {
            try AtomicFile.write(
                #"{"name":"law","config":{\#(config)}}"#, to: path + "/adapter_config.json")
            return self.failure(path)
        }
        #expect(
            try failure(#""mh_adapter":true"#)
                == "hub/: a directory without adapter.safetensors or pytorch_adapter.bin, not an adapter: "
                + "give a PEFT directory (adapter_config.json with adapter_model.safetensors) or a .lora "
                + "file")
        try FloatTensor.write(
            [FloatTensor("model.layers.0.x", [2])], to: path + "/adapter.safetensors")
        #expect(
            try failure(#""architecture":"lora","composition_mode":"times""#)
                == "hub/adapter_config.json: 'composition_mode' is \"times\", expected \"add\" or "
                + "\"scale\"")
        #expect(
            try failure(#""architecture":"lora","r":2,"alpha":4"#)
                == "hub/adapter.safetensors: unexpected tensor 'model.layers.0.x': a LoRA of AdapterHub has "
                + "tensors named '….loras.law.lora_A' and lora_B")
        #expect(
            try failure(#""architecture":"lora","composition_mode":"scale","alpha":4"#)
                == "hub/adapter.safetensors: unexpected tensor 'model.layers.0.x': (IA)³ of AdapterHub has "
                + "tensors named '….loras.law.lora_B'")
    }

    @Test func formatsSayWhatTheyCannotHold() throws {
        let reading = try AdapterReading()
        let saved = try AdapterFixture.lora(
            [AdapterFixture.query], ["modules_to_save": .array([.string("norm")])]
        ).write(to: directory, name: "saved")
        #expect(
            failure(saved, to: .loralib)
                == "saved: can't be converted: 'modules_to_save' is [\"norm\"]: whole modules are no "
                + "low-rank factors")
        let plain = try AdapterFixture.lora([AdapterFixture.query]).write(
            to: directory, name: "plain")
        #expect(
            failure(plain, to: .gguf)
                == "plain: can't be converted: GGUF names the base's architecture: give the base")
        #expect(
            failure(plain, to: .promptTuningV2)
                == "plain: can't be converted: its method is LORA, and a prefix encoder holds prefixes"
        )
        let output = try AdapterFixture.lora(["model.layers.0.self_attn.o_proj"]).write(
            to: directory, name: "output")
        #expect(
            failure(output, to: .adapterHub)
                == "output: can't be converted: it changes 'model.layers.0.self_attn.o_proj'; in "
                + "AdapterHub's models of this family, q_proj, k_proj, v_proj, up_proj and down_proj can "
                + "be changed")
        let uneven = try AdapterFixture.lora([
            AdapterFixture.query, "model.layers.1.self_attn.v_proj",
        ]).write(to: directory, name: "uneven")
        #expect(
            failure(uneven, to: .adapterHub)
                == "uneven: can't be converted: AdapterHub's settings name the same modules in all layers"
        )
        let ranks =
            AdapterFixture.lora([AdapterFixture.query]).tensors
            + AdapterFixture.lora(["model.layers.1.self_attn.q_proj"], rank: 3).tensors
        var mixed = AdapterFixture.lora(
            [AdapterFixture.query], targets: .array([.string("q_proj")]),
            ["rank_pattern": .object(["layers.1.self_attn.q_proj": .integer(3)])])
        mixed.tensors = ranks
        #expect(
            failure(try mixed.write(to: directory, name: "mixed"), to: .adapterHub)
                == "mixed: can't be converted: AdapterHub's settings have one rank, it has 2, 3")
        let inputs = AdapterFixture(
            configuration: [
                "peft_type": .string("IA3"), "target_modules": .array([.string("down_proj")]),
                "feedforward_modules": .array([.string("down_proj")]),
            ],
            tensors: [
                FloatTensor("base_model.model.model.layers.0.mlp.down_proj.ia3_l", [1, 24])
            ])
        #expect(
            failure(try inputs.write(to: directory, name: "inputs"), to: .adapterHub)
                == "inputs: can't be converted: "
                + "'base_model.model.model.layers.0.mlp.down_proj.ia3_l' has factors of inputs, and "
                + "AdapterHub's (IA)³ those of outputs")
        #expect(
            failure(reading.directory.path + "/base").contains(
                "a directory without adapter_config.json, not an adapter"))
    }

    /// AdapterHub's models load a head into the base, where it may be the embedding too.
    @Test func aHeadThatMayStandForTheEmbeddingNeedsTheBase() throws {
        let scale: JSONObject = [
            "composition_mode": .string("scale"), "r": .integer(1), "alpha": .integer(1),
        ]
        var infused = AdapterHubFixture.lora(scale)
        let name = "model.layers.0.self_attn.q_proj.loras.law.lora_B"
        infused.tensors = [FloatTensor(name, [16, 1], seed: 1)]
        infused.hiddenSize = 64
        infused.head = [FloatTensor("lm_head.weight", [32, 16])]
        let path = try infused.write(to: directory)
        #expect(
            failure(path)
                == "hub: can't be converted: whether the head that was saved along stands for the "
                + "embedding too, only the base says: give the base, or save the adapter with "
                + "with_head=False")
        #expect(
            failure(path, base: ReferenceFiles.model("tiny-llama"))
                == "hub: can't be converted: the head that was saved along stands for the base's "
                + "embedding too, which PEFT can say of LoRA alone: serve it as it is, pack it with graft "
                + "pack, or save it with with_head=False")
        _ = try AdapterConversion(from: path, basePath: ReferenceFiles.model("tiny-mistral"))
            .write(as: .peft, to: directory.path + "/untied")
        let configuration = try String(
            contentsOfFile: directory.path + "/untied/adapter_config.json", encoding: .utf8)
        #expect(configuration.contains("lm_head"))
        #expect(!configuration.contains("ensure_weight_tying"))
    }

    /// PEFT, which loads a tied head under both names, and fails where one is missing.
    @Test func aLoRAsHeadStandsForATiedEmbeddingUnderBothNames() throws {
        var fixture = AdapterHubFixture.lora()
        fixture.hiddenSize = 64
        fixture.head = [FloatTensor("lm_head.weight", [32, 16], seed: 5)]
        let path = try fixture.write(to: directory)
        #expect(
            failure(path).hasSuffix(
                "only the base says: give the base, or save the adapter with with_head=False"))
        func names(_ base: String) throws -> [String] {
            let out = directory.path + "/" + base
            _ = try AdapterConversion(from: path, basePath: ReferenceFiles.model(base))
                .write(as: .peft, to: out)
            return try StoredTensors(path: out + "/adapter_model.safetensors").names
                .filter { !$0.contains("lora_") }
        }
        let head = "base_model.model.lm_head.weight"
        #expect(
            try names("tiny-llama") == [head, "base_model.model.model.embed_tokens.weight"])
        #expect(try names("tiny-mistral") == [head])
    }
}
