import Adapters
import Foundation
import LlamaSlots
import Kernels
import StrictJSON
import Testing
import Transformer

@Suite struct LoRATests {
    private let layers = [0, 1]

    private func modules(_ leaf: String, in layers: [Int] = [0, 1]) -> [String] {
        layers.map {
            "model.layers.\($0).\(leaf.contains("proj") && "qkvo".contains(leaf.first!) ? "self_attn" : "mlp").\(leaf)"
        }
    }

    /// Patterns and the modules that PEFT 0.21 targets by them: a tensor too many or too few is an
    /// error, so that reading is the test.
    @Test func patternsTargetWhatPEFTTargets() throws {
        let reading = try AdapterReading()
        let cases: [(targets: String, extra: JSONObject, modules: [String])] = [
            (#"["q_proj"]"#, [:], modules("q_proj")),
            (#"["self_attn.q_proj"]"#, [:], modules("q_proj")),
            (#"["model.layers.1.self_attn.q_proj"]"#, [:], modules("q_proj", in: [1])),
            (#"["q_proj","absent"]"#, [:], modules("q_proj")),
            (#"".*\\.(q|v)_proj""#, [:], modules("q_proj") + modules("v_proj")),
            (#"".*layers\\.0.*up_proj""#, [:], modules("up_proj", in: [0])),
            (
                #"["q_proj","up_proj"]"#, ["exclude_modules": .array([.string("up_proj")])],
                modules("q_proj")
            ),
            (
                #"["q_proj"]"#, ["exclude_modules": .string(#".*layers\.0\..*"#)],
                modules("q_proj", in: [1])
            ),
            (
                #"["q_proj"]"#, ["layers_to_transform": .array([.integer(1)])],
                modules("q_proj", in: [1])
            ),
            (
                #"["q_proj"]"#,
                ["layers_to_transform": .integer(0), "layers_pattern": .string("layers")],
                modules("q_proj", in: [0])
            ),
            (#"["q_proj","lm_head"]"#, [:], modules("q_proj") + ["lm_head"]),
        ]
        for (targets, extra, modules) in cases {
            let fixture = AdapterFixture.lora(
                modules, targets: try JSONValue(parsing: targets), extra)
            let adapter = try reading.read(fixture)
            #expect(
                Set(adapter.operators.linear.keys.map { reading.base.slots.name(of: .linear($0)) })
                    == Set(modules))
        }
    }

    @Test func rankAndAlphaFollowTheFirstPatternThatMatches() throws {
        let reading = try AdapterReading()
        var fixture = AdapterFixture.lora(modules("q_proj"), rank: 4)
        fixture.configuration["r"] = .integer(2)
        fixture.configuration["rank_pattern"] = .object([
            "layers.0.self_attn.q_proj": .integer(4), "q_proj": .integer(4),
        ])
        fixture.configuration["alpha_pattern"] = .object([
            #".*\.0\..*q_proj"#: .integer(12), "q_proj": .integer(20),
        ])
        let adapter = try reading.read(fixture)
        #expect(scaling(adapter, layer: 0) == 3)
        #expect(scaling(adapter, layer: 1) == 5)
        fixture.configuration["use_rslora"] = .bool(true)
        #expect(scaling(try reading.read(fixture), layer: 0) == 6)
    }

    private func scaling(_ adapter: LoadedAdapter, layer: Int) -> Float? {
        guard case .lowRank(let lowRank)? = adapter.operators.linear[.layer(layer, .query)]?.first
        else { return nil }
        return lowRank.scaling
    }

    @Test func embeddingsAreTransposedToRowsOfTokens() throws {
        let reading = try AdapterReading()
        var fixture = AdapterFixture.lora([], targets: .array([.string("embed_tokens")]))
        let name = "base_model.model.model.embed_tokens"
        let a = FloatTensor(name + ".lora_embedding_A", [2, 32])
        fixture.tensors = [a, FloatTensor(name + ".lora_embedding_B", [16, 2])]
        guard
            case .lowRank(let rows, let b, let scaling)? = try reading.read(fixture).operators
                .embedding.first
        else {
            Issue.record("no low-rank operator")
            return
        }
        #expect(rows[5 * 2 + 1] == a.values[32 + 5])
        #expect(b.outputCount == 16)
        #expect(scaling == 2)
    }

    @Test func aTableSavedAlongStandsInPlaceOfTheBasesWhereItDiffers() throws {
        let reading = try AdapterReading()
        var fixture = AdapterFixture.lora(["lm_head"])
        let name = "base_model.model.lm_head.base_layer.weight"
        var table = FloatTensor(name, [32, 16])
        table.values.withUnsafeMutableBufferPointer {
            reading.base.matrix(at: .head).unpack(into: $0.baseAddress!, pool: nil)
        }
        fixture.tensors.append(table)
        let same = try reading.read(fixture, strict: true)
        #expect(same.parameterCount == 2 * 16 + 32 * 2)
        #expect(same.warnings.isEmpty)
        fixture.tensors[2].values[40] += 0.5
        let other = try reading.read(fixture)
        #expect(other.operators.replacesWeights)
        #expect(
            other.warnings.map { $0.replacing(reading.directory.path + "/", with: "") } == [
                "adapter/adapter_model.safetensors: in place of the base's own, for this adapter alone, "
                    + "stand tensors that no setting names, as in PEFT: '\(name)'"
            ])
        #expect(reading.failure(fixture, strict: true).contains("with --strict-adapters a setting"))
    }

    @Test func trainedBiasesAreDifferencesToTheBases() throws {
        let reading = try AdapterReading(TinyBase(hasAttentionBias: true))
        let module = AdapterFixture.query
        var fixture = AdapterFixture.lora(
            [module], targets: .array([.string(module)]), ["bias": .string("lora_only")])
        #expect(reading.failure(fixture).contains("'bias' is \"lora_only\" and the base's"))
        let bias = FloatTensor("base_model.model.\(module).base_layer.bias", [16])
        fixture.tensors.append(bias)
        guard
            case .bias(let difference)? = try reading.read(fixture).operators
                .linear[.layer(0, .query)]?.last
        else {
            Issue.record("no bias")
            return
        }
        let own = try #require(reading.base.bias(at: .layer(0, .query)))
        #expect(difference == zip(bias.values, own).map { $0 - $1 })
    }

    @Test func savedModulesReplaceWhateverEndsWithTheirName() throws {
        let reading = try AdapterReading()
        var fixture = AdapterFixture.lora(
            modules("q_proj"), ["modules_to_save": .array([.string("norm"), .string("lm_head")])])
        let norms = layers.flatMap {
            ["model.layers.\($0).input_layernorm", "model.layers.\($0).post_attention_layernorm"]
        }
        fixture.tensors += (norms + ["model.norm"]).map {
            FloatTensor("base_model.model.\($0).weight", [16])
        }
        #expect(reading.failure(fixture).contains("'modules_to_save' names 'lm_head'"))
        fixture.tensors.append(FloatTensor("base_model.model.lm_head.weight", [32, 16]))
        let operators = try reading.read(fixture).operators
        #expect(operators.norms.count == 5)
        #expect(operators.replacesWeights)
    }

    @Test func prefixesMustFitTheBase() throws {
        let reading = try AdapterReading()
        #expect(try reading.read(AdapterFixture.prefix()).operators.prefix?.tokenCount == 3)
        let config = "adapter/adapter_config.json"
        #expect(
            reading.failure(.prefix(["num_virtual_tokens": .integer(0)]))
                == "\(config): 'num_virtual_tokens' is 0, expected a whole number from 1 to 63")
        #expect(
            reading.failure(.prefix(["num_layers": .integer(4)]))
                == "\(config): 'num_layers' is 4, expected 2, the base's layers")
        #expect(
            reading.failure(.prefix(["num_virtual_tokens": .integer(5)]))
                == "adapter/adapter_model.safetensors: tensor 'prompt_embeddings' has shape [3, 32], "
                + "expected [5, 32]: 'num_virtual_tokens' is 5, and the base has 2 layers of keys and "
                + "values of width 8")
    }
}
