import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Testing
import Transformer

/// Mixtures that lack an expert, or whose parts don't fit each other or the base.
struct MixtureMalformedTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func url(_ name: String) -> URL { URL(fileURLWithPath: directory.file(name)) }

    /// A copy of a golden to spoil.
    private func copy(_ golden: String) throws {
        try FileManager.default.removeItem(atPath: directory.path)
        try FileManager.default.copyItem(
            atPath: Checkout.path("Tests/Goldens/methods/\(golden)"), toPath: directory.path)
    }

    private func set(
        _ settings: JSONObject, in file: String = "adapter_config.json"
    ) throws {
        var object = try #require(
            try JSONValue(parsing: [UInt8](Data(contentsOf: url(file)))).objectValue)
        for (key, value) in settings { object[key] = value }
        try Data(JSONValue.object(object).serialized().utf8).write(to: url(file))
    }

    private func remove(_ name: String) throws { try FileManager.default.removeItem(at: url(name)) }

    /// The sentence of the refusal, with paths relative to the directory.
    private func failure(base: String = "tiny-llama", strict: Bool = false) throws -> String {
        let base = try GoldenTests.base(base)
        let error = #expect(throws: AdapterError.self) {
            try AdapterReader.read(
                name: "mix", path: directory.path, slots: base.slots, base: base,
                options: AdapterOptions(strict: strict), pool: GoldenTests.pool)
        }
        return (error?.description ?? "").replacing(directory.path + "/", with: "")
    }

    /// A golden with changed settings is refused for this reason.
    private func expectRefusal(
        of golden: String, with settings: JSONObject, _ reason: String
    ) throws {
        try copy(golden)
        try set(settings)
        let failure = try failure()
        #expect(failure.contains(reason), "\(failure)")
    }

    @Test func arrowNamesItsExperts() throws {
        try copy("arrow/llama")
        try remove("task1")
        #expect(
            try failure()
                == "arrow_config.json: 'experts' is \"task1\", expected directories of PEFT "
                + "adapters: there is none at task1")
        try copy("arrow/llama")
        try set(["experts": .array([])], in: "arrow_config.json")
        #expect(try failure().contains("'experts' is missing"))
    }

    @Test(arguments: [
        ("top_k", JSONValue.integer(4), "a whole number from 1 to 3"),
        ("top_k", .integer(0), "a whole number from 1 to 3"),
        ("router_temperature", .number(0), "a number above 0"),
        ("use_gks", .bool(true), "false, or general experts in 'general'"),
        ("rng_seed", .integer(-1), "a whole number from 0"),
        ("general", .array([.string("task0")]), "true where 'general' names general experts"),
    ])
    func arrowsSettingsAreChecked(name: String, value: JSONValue, expected: String) throws {
        try copy("arrow/llama")
        try set([name: value], in: "arrow_config.json")
        #expect(try failure().hasSuffix("expected \(expected)"))
    }

    @Test func arrowsUnknownSettingsAreKnownOnes() throws {
        try copy("arrow/llama")
        try set(["jitter": .number(0.5)], in: "arrow_config.json")
        #expect(try failure(strict: true).contains("unknown setting 'jitter' is 0.5"))
    }

    @Test func arrowsExpertsAreAlike() throws {
        try copy("arrow/llama")
        let base = try GoldenTests.base("tiny-llama")
        try set(
            ["target_modules": .array([.string("q_proj")])], in: "task1/adapter_config.json")
        try write(
            ["task1/adapter_model.safetensors": ["q_proj"]], rank: 3, without: "o_proj", base)
        #expect(
            try failure()
                == "task1/adapter_model.safetensors: tensor 'base_model.model.model.layers.0."
                + "self_attn.o_proj.lora_A.weight' is missing: another expert changes "
                + "'model.layers.0.self_attn.o_proj', and all must")
        try copy("arrow/llama")
        try set(["r": .integer(2)], in: "task1/adapter_config.json")
        try write(
            ["task1/adapter_model.safetensors": ["q_proj", "o_proj"]], rank: 2, without: "", base)
        #expect(try failure().contains("has shape [2, 64], expected [3, 64]: the other experts'"))
    }

    /// Zeros in the place of an expert's factors.
    private func write(
        _ files: [String: [String]], rank: Int, without: String, _ base: BaseModel
    ) throws {
        for (file, projections) in files {
            var tensors: [(String, [Int])] = []
            for layer in 0..<base.slots.layerCount {
                for projection in projections where projection != without {
                    let name = "base_model.model.model.layers.\(layer).self_attn.\(projection)"
                    tensors += [
                        ("\(name).lora_A.weight", [rank, 64]),
                        ("\(name).lora_B.weight", [64, rank]),
                    ]
                }
            }
            tensors.sort { $0.0 < $1.0 }
            let writer = SafetensorsWriter(
                tensors: tensors.map { .init(name: $0.0, elementType: .f32, shape: $0.1) },
                metadata: [:])
            try remove(file)
            try writer.write(to: url(file).path) { (tensor, sink) throws(CheckpointError) in
                let count = tensor.shape.reduce(1, *) * 4
                try sink.write([UInt8](repeating: 0, count: count))
            }
        }
    }

    @Test(arguments: [
        ("use_dora", JSONValue.bool(true), "'use_dora' is true: a magnitude of DoRA"),
        ("peft_type", .string("LOHA"), "its method is LOHA, only LoRA has factors"),
        ("peft_type", .string("XLORA"), "its method is XLORA, only LoRA has factors"),
        ("bias", .string("all"), "'bias' is \"all\""),
    ])
    func expertsAreLoRA(name: String, value: JSONValue, reason: String) throws {
        for (golden, expert) in [("arrow/llama", "task2"), ("xlora/layerwise", "expert2")] {
            try copy(golden)
            try set([name: value], in: "\(expert)/adapter_config.json")
            let failure = try failure()
            #expect(
                failure.hasPrefix(
                    "\(expert)/adapter_config.json: it can't be an expert of a mixture: \(reason)"),
                "\(failure)")
        }
    }

    @Test func expertsOfAnotherBaseAreRefused() throws {
        try copy("xlora/layerwise")
        #expect(try failure(base: "tiny-mistral").contains("another base"))
        try copy("xlora/layerwise")
        try set(["hidden_size": .integer(32)])
        #expect(try failure().contains("'hidden_size' is 32, expected 64, the base's"))
    }

    @Test func xloraNamesItsExperts() throws {
        try copy("xlora/layerwise")
        try remove("expert0")
        #expect(
            try failure()
                == "adapter_config.json: 'adapters' is \"expert0\", expected directories of PEFT "
                + "adapters: there is none at expert0")
        // PEFT saves experts under their names beside the configuration.
        try copy("xlora/layerwise")
        try FileManager.default.moveItem(at: url("expert0"), to: url("0"))
        let base = try GoldenTests.base("tiny-llama")
        func hash() throws -> String {
            try AdapterReader.read(
                name: "mix", path: directory.path, slots: base.slots, base: base,
                pool: GoldenTests.pool
            ).hash
        }
        let first = try hash()
        try set(["lora_alpha": .integer(7)], in: "0/adapter_config.json")
        #expect(try hash() != first)
        try set(["adapters": .null])
        #expect(try failure().contains("'adapters' is missing"))
    }

    @Test(arguments: [
        ("xlora_depth", JSONValue.integer(2), "'xlora_depth' is 2, and the file has 3 layers"),
        ("xlora_size", .integer(11), "expected [11, 64]: 'xlora_size' is 11"),
        ("layerwise_scalings", .bool(true), "it makes gates for 3 experts at 9 modules"),
        ("top_k_lora", .integer(4), "expected a whole number from 1 to 3"),
        ("softmax_temperature", .integer(0), "expected a number above 0"),
        ("adapters", .object(["0": .integer(1)]), "expected names and directories"),
    ])
    func xlorasSettingsAreChecked(name: String, value: JSONValue, reason: String) throws {
        try expectRefusal(of: "xlora/top-two", with: [name: value], reason)
    }

    @Test(arguments: [
        ("r", JSONValue.integer(3), "expected [3, 64]: 'r' is 3, 'num_B' 3"),
        ("num_B", .integer(2), "expected [8, 32]: 'r' is 4, 'num_B' 2"),
        ("scaling", .string("1"), "'scaling' is \"1\", expected a number"),
        (
            "target_modules", .array([.string("lm_head")]),
            "its mixture depends on all tokens of a call, and not all reach the head"
        ),
    ])
    func lilysSettingsAreChecked(name: String, value: JSONValue, reason: String) throws {
        try expectRefusal(of: "lily/llama", with: [name: value], reason)
    }

    @Test(arguments: [
        ("r", JSONValue.integer(3), "'r' is 3, 'update_hidden_size' 3"),
        ("update_hidden_size", .integer(5), "'update_hidden_size' 5"),
        ("shadow_num_hidden_layers", .integer(2), "layers.1.input_layernorm.weight' is missing"),
        ("shadow_hidden_size", .integer(32), "'base_model.shadow_backbone.default.embed_tokens"),
        ("shadow_model", .string("org/model"), "only decoders of the base's own kind"),
        ("shadow_num_attention_heads", .integer(3), "gives 3 heads for 2 of keys and values"),
        ("share_embeddings", .bool(false), "embed_tokens.weight' is missing"),
        ("modules_to_save", .array([.string("lm_head")]), "can't be served yet"),
        (
            "target_modules",
            .array([.string("model.layers.0"), .string("model.layers.2")]),
            "expected decoder blocks that follow each other"
        ),
        ("target_modules", .array([.string("model.layers.7")]), "no target module matched"),
        (
            "target_modules", .array([.string("model.layers.0")]),
            "unexpected tensor 'base_model.model.model.layers.1.shadow_down.default.weight'"
        ),
    ])
    func shadowsSettingsAreChecked(name: String, value: JSONValue, reason: String) throws {
        try expectRefusal(of: "shadow/llama", with: [name: value], reason)
    }

    @Test func aMixtureCantBecomeOneFile() throws {
        try copy("arrow/llama")
        #expect(throws: AdapterError.self) {
            try AdapterPacking.pack(from: directory.path, to: directory.file("mix.lora"))
        }
    }

    @Test func aMixtureIsNotConvertedWithoutItsExperts() throws {
        try copy("xlora/top-two")
        let error = #expect(throws: AdapterError.self) {
            try AdapterConversion(from: directory.path).write(
                as: .peft, to: directory.file("out"))
        }
        #expect(
            error?.description
                == "\(directory.path): can't be converted: it mixes adapters of other "
                + "directories: convert those")
        #expect(!FileManager.default.fileExists(atPath: directory.file("out")))
    }
}
