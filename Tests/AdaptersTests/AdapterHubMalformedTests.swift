import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Testing
import Transformer

/// AdapterHub's directories that can't be served, and the sentence that each gets.
struct AdapterHubMalformedTests {
    private let reading: AdapterReading

    init() throws { reading = try AdapterReading() }

    private func failure(_ fixture: AdapterHubFixture) throws -> String {
        let path = try fixture.write(to: reading.directory)
        return reading.failure { _ = try reading.read(path: path) }
    }

    private static let file = "hub/adapter.safetensors: "
    private static let settings = "hub/adapter_config.json: "

    @Test(arguments: [
        (
            "use_gating", JSONValue.bool(true),
            "not supported: 'use_gating' is true: the gate is a mean over all tokens of a call, so "
                + "that an answer would depend on tokens after it"
        ),
        (
            "phm_layer", .bool(true),
            "tensor 'model.layers.0.output_adapters.adapter_down.0.W_left' is missing: the method "
                + "consists of it"
        ),
        (
            "inv_adapter", .string("nice"),
            "not supported: 'inv_adapter' is \"nice\": invertible adapters behind the embedding "
                + "can't be served yet"
        ),
        (
            "residual_before_ln", .string("post_add"),
            "not supported: 'residual_before_ln' is \"post_add\": it stands beside a norm behind the "
                + "sublayer, which the base doesn't have"
        ),
        (
            "scaling", .string("some"),
            "'scaling' is \"some\", expected a number, \"learned\" or \"channel\""
        ),
        ("reduction_factor", .integer(0), "'reduction_factor' is 0, expected numbers above 0"),
        (
            "reduction_factor", .object(["0": .integer(4)]),
            "'reduction_factor' is an object, expected an entry for layer 1, or \"default\""
        ),
        (
            "reduction_factor", .number(1e-6),
            "'reduction_factor' is 1e-06, expected a factor that leaves at most 1048576 features"
        ),
        (
            "output_adapter", .bool(false),
            "'mh_adapter' is false, expected true, or 'output_adapter' true: the adapter would be "
                + "nowhere"
        ),
        (
            "scaling", .string("learned"),
            "tensor 'model.layers.0.output_adapters.scaling' is missing: the method consists of it"
        ),
        (
            "ln_after", .bool(true),
            "tensor 'model.layers.0.output_adapters.adapter_norm_after.weight' is missing: the method "
                + "consists of it"
        ),
        (
            "reduction_factor", .integer(2),
            "tensor 'model.layers.0.output_adapters.adapter_down.0.weight' has shape [4, 16], expected "
                + "[8, 16]: the base's hidden size is 16, and 'reduction_factor' leaves 8 features"
        ),
        (
            "leave_out", .array([.integer(1)]),
            "unexpected tensor 'model.layers.1.output_adapters.adapter_down.0.bias': the "
                + "configuration doesn't ask for it"
        ),
    ])
    func aSettingThatCannotBeServedIsNamed(name: String, value: JSONValue, reason: String) throws {
        let isTensor = reason.contains("tensor '")
        #expect(
            try failure(.bottleneck([name: value]))
                == (isTensor ? Self.file : Self.settings) + reason)
    }

    @Test func anUnknownActivationFunctionIsNamed() throws {
        let failure = try failure(.bottleneck(["non_linearity": .string("Prelu")]))
        #expect(
            failure.hasPrefix(
                Self.settings
                    + "not supported: 'non_linearity' is \"Prelu\": supported are gelu, gelu_10"),
            "\(failure)")
    }

    @Test func aHypercomplexDimensionThatDividesNothingIsNamed() throws {
        #expect(
            try failure(.bottleneck(["phm_layer": .bool(true), "phm_dim": .integer(3)]))
                == Self.settings
                + "'phm_dim' is 3, expected a divisor of 16, the features at one side of "
                + "'model.layers.0.output_adapters.adapter_down.0'")
    }

    @Test func aHypercomplexDimensionIsBounded() throws {
        for dimension in [AdapterLimits.hypercomplexDimension, 1 << 10] {
            let failure = try failure(
                .bottleneck(["phm_layer": .bool(true), "phm_dim": .integer(Int64(dimension))]))
            let expected = dimension == 256 ? "a divisor of 16" : "a whole number from 1 to 256"
            #expect(
                failure.hasPrefix(
                    Self.settings + "'phm_dim' is \(dimension), expected \(expected)"),
                "\(failure)")
        }
    }

    @Test func unionsThatCannotBeServedAreNamed() throws {
        let bottleneck = AdapterHubFixture.bottleneck()
        let lora = AdapterHubFixture.lora()
        func union(_ parts: [AdapterHubFixture], _ stray: [FloatTensor] = []) -> AdapterHubFixture {
            AdapterHubFixture(
                configuration: [
                    "architecture": .string("union"),
                    "configs": .array(parts.map { .object($0.configuration) }),
                ], tensors: parts.flatMap(\.tensors) + stray)
        }
        let path = try union([bottleneck, lora]).write(to: reading.directory, name: "union")
        let adapter = try reading.read(path: path)
        #expect(adapter.operators.bottlenecks.count == 2)
        #expect(adapter.operators.linear.count == 1)
        #expect(
            try failure(union([], lora.tensors))
                == Self.settings
                + "'configs' is [], expected an array of the methods' configurations")
        var twin = lora
        twin.tensors = []
        #expect(
            try failure(union([lora, twin]))
                == Self.settings
                + "not supported: 'configs' is two of one kind: which of them a tensor "
                + "belongs to can't be told")
        #expect(
            try failure(union([.lora(["architecture": .string("union")]), twin]))
                .contains("'architecture' is \"union\""))
        let stray = FloatTensor("model.layers.0.self_attn.q_proj.prompts.law.x", [1])
        #expect(
            try failure(union([lora], [stray]))
                == Self.file
                + "unexpected tensor '\(stray.name)': it belongs to none of the 1 methods of "
                + "the union")
    }

    /// Files that say of themselves that they are unions.
    @Test func partsThatMeetAreNamed() throws {
        let factors = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
        let lora: JSONObject = [
            "peft_type": .string("LORA"), "r": .integer(2), "lora_alpha": .integer(2),
            "target_modules": .array([.string("q_proj")]),
            "layers_to_transform": .array([.integer(0)]),
        ]
        func failure(_ parts: JSONValue, _ count: Int) throws -> String {
            let path = reading.directory.path + "/parts"
            try? FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            let configuration: JSONObject = [
                "peft_type": .string("ADAPTERHUB_UNION"), "parts": parts,
            ]
            try AtomicFile.write(
                JSONValue.object(configuration).serialized(), to: path + "/adapter_config.json")
            try FloatTensor.write(
                (0..<count).flatMap {
                    [
                        FloatTensor("parts.\($0).\(factors)A.weight", [2, 16], seed: 1),
                        FloatTensor("parts.\($0).\(factors)B.weight", [16, 2], seed: 2),
                    ]
                }, to: path + "/adapter_model.safetensors")
            return reading.failure { _ = try reading.read(path: path) }
        }
        let settings = "parts/adapter_config.json: "
        #expect(
            try failure(.array([.object(lora), .object(lora)]), 2)
                == settings
                + "not supported: 'parts' is \"LORA\": a linear layer is another part's already")
        #expect(
            try failure(
                .array([
                    .object(["peft_type": .string("ADAPTERHUB_UNION"), "parts": .array([])])
                ]), 0)
                == settings + "not supported: 'parts' is a union: unions can't be parts of others")
        #expect(
            try failure(.array([.integer(1)]), 0)
                == settings + "'parts' is 1, expected an array of objects")
        #expect(
            try failure(.array([.object(lora)]), 2)
                == "parts/adapter_model.safetensors: unexpected tensor 'parts.1.\(factors)A.weight': it "
                + "belongs to none of the 1 parts")
    }

    @Test func anotherBaseIsNamed() throws {
        var fixture = AdapterHubFixture.bottleneck()
        fixture.tensors[0] = FloatTensor(fixture.tensors[0].name, [4, 24])
        #expect(
            try failure(fixture)
                == Self.file
                + "tensor 'model.layers.0.output_adapters.adapter_down.0.weight' has shape "
                + "[4, 24], expected [4, 16]: the base's hidden size is 16, and 'reduction_factor' "
                + "leaves 4 features")
        fixture.tensors[0] = FloatTensor("model.layers.0.output_adapters.x", [4, 24])
        #expect(
            try failure(fixture)
                == Self.file
                + "unexpected tensor 'model.layers.0.output_adapters.x': a bottleneck of "
                + "AdapterHub has tensors named '….adapters.law.…'")
    }

    @Test func methodsWithoutAReaderAreNamed() throws {
        func failure(_ architecture: String) throws -> String {
            try self.failure(.lora(["architecture": .string(architecture)]))
        }
        #expect(
            try failure("reft")
                == "hub/adapter_config.json: not supported: 'architecture' is \"reft\": of AdapterHub's "
                + "methods, bottlenecks, LoRA, (IA)³, prefix tuning and unions of these are served")
        #expect(
            try self.failure(.lora(["use_dora": .bool(true)]))
                == "hub/adapter_config.json: not supported: 'use_dora' is true: of AdapterHub's LoRA only "
                + "the plain form is served")
        #expect(
            try self.failure(.prefix(["leave_out": .array([.integer(0)])]))
                == "hub/adapter_config.json: not supported: 'leave_out' is [0]: a prefix in some of the "
                + "layers only can't be served yet")
        #expect(
            try self.failure(.prefix(["prefix_length": .integer(5)]))
                == Self.file
                + "tensor 'control_trans' has shape [96], expected [5]: 'prefix_length' is "
                + "5, and its tokens are equally long")
        #expect(
            try self.failure(.prefix(["flat": .bool(false)])).hasPrefix(
                Self.file + "unexpected tensor 'model.layers.0.self_attn.prefix_tuning.pool."
                    + "prefix_tunings.law.self_prefix.control_trans': 'flat' is false"))
    }

    @Test func compositionsOfSeveralAdaptersAreNamed() throws {
        let path = reading.directory.path + "/fused"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, found) in [
            ("adapter_setup.json", "a composition"), ("adapter_fusion_config.json", "a fusion"),
        ] {
            try AtomicFile.write("{}", to: path + "/" + name)
            #expect(
                reading.failure { _ = try reading.read(path: path) }
                    == "fused/\(name): \(found) of several adapters of AdapterHub, not an adapter: give a "
                    + "PEFT directory (adapter_config.json with adapter_model.safetensors) or a .lora "
                    + "file")
        }
    }

    @Test func aHeadThatHasNoPlaceIsNamed() throws {
        var fixture = AdapterHubFixture.bottleneck()
        fixture.head = [FloatTensor("heads.law.1.weight", [2, 16])]
        #expect(
            try failure(fixture)
                == "hub/model_head.safetensors: unexpected tensor 'heads.law.1.weight': of heads that "
                + "AdapterHub saves along, only 'lm_head.weight' has a place in the base: save the "
                + "adapter with with_head=False")
        fixture.head = [FloatTensor("lm_head.weight", [32, 15])]
        #expect(
            try failure(fixture)
                == Self.file
                + "tensor 'base_model.model.lm_head.weight' has shape [32, 15], expected "
                + "[32, 16]: the base's 'lm_head' has this shape: the adapter was trained on another "
                + "base")
        // Rows behind the base's have no embedding in the file.
        fixture.head = [FloatTensor("lm_head.weight", [33, 16])]
        #expect(
            try failure(fixture)
                == Self.file
                + "tensor 'base_model.model.model.embed_tokens.weight' is missing: the vocabulary was "
                + "resized to 33 tokens and the base has 32: save the adapter with "
                + "save_embedding_layers=True")
    }

    @Test func aNormThatIsSavedTwiceMustBeOne() throws {
        var fixture = AdapterHubFixture.bottleneck(["ln_before": .bool(true)])
        fixture.tensors = fixture.tensors.flatMap { tensor -> [FloatTensor] in
            guard tensor.name.contains("adapter_down") else { return [tensor] }
            let suffix = tensor.name.hasSuffix("weight") ? ".weight" : ".bias"
            func renamed(_ part: String, _ seed: UInt64) -> FloatTensor {
                FloatTensor(
                    tensor.name.replacing("adapter_down.0" + suffix, with: part + suffix), [16],
                    seed: seed)
            }
            let matrix = FloatTensor(
                tensor.name.replacing("down.0", with: "down.1"), tensor.shape)
            return [
                matrix, renamed("adapter_down.0", 1),
                renamed("adapter_norm_before", tensor.name.contains("layers.1") ? 2 : 1),
            ]
        }
        #expect(
            try failure(fixture)
                == Self.file
                + "tensor 'model.layers.1.output_adapters.adapter_norm_before.weight' can't "
                + "be used: it is the norm 'model.layers.1.output_adapters.adapter_down.0' again, and "
                + "differs from it; use the file as it was saved")
    }
}
