import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// What AdapterHub's, loralib's and P-tuning v2's files say of themselves: read, held or named.
@Suite struct ForeignSettingsTests {
    private let reading: AdapterReading
    private let query = "model.layers.0.self_attn.q_proj"

    init() throws { reading = try AdapterReading() }

    private func read(path: String, strict: Bool = false) throws -> LoadedAdapter {
        try reading.read(path: path, options: AdapterOptions(strict: strict))
    }

    private func hub(_ fixture: AdapterHubFixture, strict: Bool = false) throws -> LoadedAdapter {
        try? FileManager.default.removeItem(atPath: reading.directory.path + "/hub")
        return try read(path: fixture.write(to: reading.directory), strict: strict)
    }

    private func shown(_ texts: [String]) -> [String] {
        texts.map { $0.replacingOccurrences(of: reading.directory.path + "/", with: "") }
    }

    /// The change of the query's weight.
    private func change(_ adapter: LoadedAdapter) throws -> [Float] {
        let slot = try #require(adapter.operators.linear.keys.first)
        let part = SelectedOperators(name: "a", operators: adapter.operators, weight: 1)
        let merged = try reading.base.merged(at: slot, with: [part], pool: TinyBase.pool).matrix
        let plain = try reading.base.merged(at: slot, with: [], pool: TinyBase.pool).matrix
        return (0..<merged.count).map { merged.pointer[$0] - plain.pointer[$0] }
    }

    /// The library corrects releases before 1.1.0, and compares as Python's packages are numbered.
    @Test(arguments: [
        ("adapters.1.0.1", true), ("adapters.0.9", true), ("adapters.1.1.0.dev0", true),
        ("adapters.1.1.0rc1", true), ("adapters.1.1", false), ("adapters.1.1.0", false),
        ("adapters.1.1.0.post1", false), ("adapters.1.1.0+local", false),
        ("adapters.1.10.0", false), ("adapters.v1.0", true), ("3.1.0", false), (nil, false),
    ])
    func theScalingOfOldReleasesIsCorrectedAsTheLibraryDoes(
        version: String?, isCorrected: Bool
    ) throws {
        var fixture = AdapterHubFixture.lora()
        fixture.version = version
        // alpha / r is 3.
        let found = try change(hub(fixture))
        fixture.version = "adapters.1.3.0"
        fixture.configuration["alpha"] = .integer(isCorrected ? 2 : 6)
        let expected = try change(hub(fixture))
        #expect(largestDifference(found, expected) < 1e-6)
    }

    @Test func partsOfUnionsAreNotCorrected() throws {
        var union = AdapterHubFixture.lora()
        let lora = union.configuration
        union.version = "adapters.1.0.0"
        union.configuration = [
            "architecture": .string("union"), "configs": .array([.object(lora)]),
        ]
        let found = try change(hub(union))
        let expected = try change(hub(.lora()))
        #expect(largestDifference(found, expected) < 1e-6)
    }

    @Test func whatIsNoVersionIsRefused() throws {
        var fixture = AdapterHubFixture.lora()
        fixture.version = "adapters.new"
        #expect(
            reading.failure { _ = try hub(fixture) }
                == "hub/adapter_config.json: 'version' is \"adapters.new\", expected a version of the "
                + "library, for example \"adapters.1.3.0\"")
    }

    /// Only files without any version spelled activation functions otherwise.
    @Test func activationFunctionsOfOldFilesAreRenamed() throws {
        func function(_ version: String?) throws -> JSONValue? {
            var fixture = AdapterHubFixture.bottleneck(["non_linearity": .string("gelu")])
            fixture.version = version
            let path = try fixture.write(to: reading.directory)
            return try AdapterInspection(path: path).configuration["non_linearity"]
        }
        #expect(try function("adapters.1.3.0") == .string("gelu"))
        #expect(try function("3.1.0") == .string("gelu"))
        #expect(try function(nil) == .string("gelu_new"))
    }

    @Test func anotherBasesModelTypeIsNamed() throws {
        var fixture = AdapterHubFixture.lora()
        fixture.extra["model_type"] = .string("qwen2")
        #expect(
            shown(try hub(fixture).warnings) == [
                "hub/adapter_config.json: 'model_type' is \"qwen2\", and the base is a llama: was it "
                    + "trained on another base?"
            ])
        fixture.extra["model_type"] = .string("mistral")
        #expect(try hub(fixture).warnings == [])
        fixture.hiddenSize = 32
        #expect(
            reading.failure { _ = try hub(fixture) }
                == "hub/adapter_config.json: 'hidden_size' is 32, expected 16, the base's: it was trained "
                + "on another base")
    }

    @Test(arguments: [AdapterHubFixture.lora(), .prefix(), .bottleneck()])
    func unknownSettingsOfAdapterHubAreNamedOrRefused(fixture: AdapterHubFixture) throws {
        var fixture = fixture
        fixture.configuration["scaling"] = fixture.configuration["scaling"] ?? .null
        if fixture.configuration["architecture"] == nil {
            fixture.configuration["scaling"] = .number(1)
        } else {
            fixture.configuration["scaling"] = nil
        }
        #expect(try hub(fixture).warnings == [])
        fixture.configuration["future"] = .integer(3)
        fixture.extra["beyond"] = .string("x")
        let warnings = try hub(fixture).warnings.joined(separator: "\n")
        #expect(warnings.contains("'future' is 3"))
        #expect(warnings.contains("'beyond' is \"x\""))
        #expect(reading.failure { _ = try hub(fixture, strict: true) }.contains("unknown setting"))
    }

    @Test func aBottleneckWithoutScalingSaysSo() throws {
        #expect(
            shown(try hub(.bottleneck()).warnings) == [
                "hub/adapter_config.json: 'scaling' is missing: it is 1, as the library takes it"
            ])
    }

    /// The library makes modules by its settings, and passes over tensors of others.
    @Test(arguments: [
        ("leave_out", JSONValue.array([.integer(0)]), "'leave_out' names layer 0 in "),
        ("selfattn_lora", .bool(false), "'selfattn_lora' is false in "),
        ("attn_matrices", .array([.string("k")]), "'attn_matrices' has no \"q\" in "),
    ])
    func tensorsThatTheSettingsLeaveOutAreRefused(
        setting: String, value: JSONValue, reason: String
    ) throws {
        var fixtures = [AdapterHubFixture.lora([setting: value])]
        var factors = AdapterHubFixture.lora([
            "composition_mode": .string("scale"), "r": .integer(1), setting: value,
        ])
        factors.tensors = [FloatTensor("\(query).loras.law.lora_B", [16, 1], seed: 1)]
        fixtures.append(factors)
        for fixture in fixtures {
            let failure = reading.failure { _ = try hub(fixture) }
            #expect(
                failure.hasPrefix(
                    "hub/adapter.safetensors: unexpected tensor '\(query).loras.law.lora_"))
            #expect(failure.contains(reason), "\(failure)")
        }
    }

    /// With and without the first part of its name, which a model without a head leaves out.
    @Test func tensorsThatAreThereTwiceAreRefused() throws {
        for var fixture in [AdapterHubFixture.lora(), .bottleneck()] {
            let tensor = fixture.tensors[0]
            fixture.tensors.append(
                FloatTensor(String(tensor.name.dropFirst("model.".count)), tensor.shape, seed: 9))
            #expect(
                reading.failure { _ = try hub(fixture) }.hasSuffix(
                    "the file has it twice, with and without 'model.' in front"))
        }
        let path = reading.directory.path + "/twice.safetensors"
        try FloatTensor.write(
            [
                FloatTensor(query + ".lora_A", [2, 16]), FloatTensor(query + ".lora_B", [16, 2]),
                FloatTensor("module.\(query).lora_A", [2, 16], seed: 9),
            ], metadata: ["lora_alpha": "4"], to: path)
        #expect(
            reading.failure { _ = try read(path: path) }.hasSuffix(
                "the file has it twice, with and without 'module.'"))
    }

    /// The library saves the pool that all layers share once for each of them.
    @Test func prefixesOfAllLayersAreOne() throws {
        var fixture = AdapterHubFixture.prefix()
        let name = fixture.tensors[0].name.replacingOccurrences(of: "layers.0", with: "layers.1")
        fixture.tensors.append(FloatTensor(name, fixture.tensors[0].shape, seed: 1))
        _ = try hub(fixture)
        fixture.tensors[1] = FloatTensor(name, fixture.tensors[0].shape, seed: 2)
        #expect(
            reading.failure { _ = try hub(fixture) }.contains(
                "control_trans' can't be used: it differs from "))
    }

    @Test func factorsHaveRankOne() throws {
        let fixture = AdapterHubFixture.lora(["composition_mode": .string("scale")])
        #expect(
            reading.failure { _ = try hub(fixture) }
                == "hub/adapter_config.json: 'r' is 2, expected 1 beside \"composition_mode\": \"scale\""
        )
    }

    private func loralib(_ settings: String, strict: Bool = false) throws -> LoadedAdapter {
        let path = reading.directory.path + "/loralib"
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FloatTensor.write(
            [FloatTensor(query + ".lora_A", [2, 16]), FloatTensor(query + ".lora_B", [16, 2])],
            to: path + "/lora.safetensors")
        try AtomicFile.write(settings, to: path + "/lora_config.json")
        return try read(path: path, strict: strict)
    }

    @Test func metadataAndSettingsFileSayTheSame() throws {
        _ = try loralib(#"{"lora_alpha":4}"#)
        let tensors = [
            FloatTensor(query + ".lora_A", [2, 16]), FloatTensor(query + ".lora_B", [16, 2]),
        ]
        let path = reading.directory.path + "/loralib"
        func failure(_ alpha: String) throws -> String {
            try FileManager.default.removeItem(atPath: path + "/lora.safetensors")
            try FloatTensor.write(
                tensors, metadata: ["format": "pt", "lora_alpha": alpha],
                to: path + "/lora.safetensors")
            return reading.failure { _ = try read(path: path) }
        }
        #expect(try failure("4.0") == "no error")
        #expect(
            try failure("16")
                == "loralib/lora_config.json: 'lora_alpha' is 4, expected 16, as the metadata of "
                + "loralib/lora.safetensors say")
    }

    @Test func unknownSettingsOfLoralibAreNamedOrRefused() throws {
        #expect(
            try loralib(#"{"lora_alpha":4,"merge_weights":false,"lora_dropout":0.1}"#, strict: true)
                .warnings == [])
        let text = #"{"lora_alpha":4,"scale":20}"#
        #expect(
            shown(try loralib(text).warnings) == [
                "loralib/lora_config.json: unknown and ignored: 'scale' is 20"
            ])
        #expect(
            reading.failure { _ = try loralib(text, strict: true) }
                .hasPrefix("loralib/lora_config.json: unknown setting 'scale' is 20"))
        #expect(
            reading.failure { _ = try loralib(#"{"lora_alpha":4,"use_rslora":true}"#) }
                == "loralib/lora_config.json: not supported: 'use_rslora' is true: loralib has no such "
                + "setting: save it as PEFT does")
    }

    private func prefix(_ settings: String, strict: Bool = false) throws -> LoadedAdapter {
        let path = reading.directory.path + "/prefix"
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FloatTensor.write(
            [FloatTensor("prefix_encoder.embedding.weight", [3, 32])],
            to: path + "/prefix_encoder.safetensors")
        try AtomicFile.write(settings, to: path + "/config.json")
        return try read(path: path, strict: strict)
    }

    @Test func settingsOfAPrefixEncoderAreHeldOrNamed() throws {
        let right =
            #"{"pre_seq_len":3,"num_layers":2,"kv_heads":2,"head_dim":4,"hidden_size":16}"#
        #expect(try prefix(right, strict: true).warnings == [])
        #expect(
            shown(try prefix(#"{"alpha":2}"#).warnings) == [
                "prefix/config.json: unknown and ignored: 'alpha' is 2"
            ])
        // A model's own configuration has settings of all kinds.
        #expect(
            try prefix(#"{"model_type":"llama","rope_theta":10000,"pre_seq_len":3}"#, strict: true)
                .warnings == [])
        #expect(
            shown(try prefix(#"{"model_type":"chatglm","num_layers":2}"#).warnings) == [
                "prefix/config.json: 'model_type' is \"chatglm\", and the base is a llama: was it trained "
                    + "on another base?"
            ])
        for (setting, own) in [
            ("num_layers", 2), ("kv_heads", 2), ("head_dim", 4), ("num_hidden_layers", 2),
            ("hidden_size", 16), ("num_key_value_heads", 2), ("num_attention_heads", 4),
        ] {
            #expect(
                reading.failure { _ = try prefix("{\"\(setting)\":5}") }
                    == "prefix/config.json: '\(setting)' is 5, expected \(own), the base's: it was trained "
                    + "on another base")
        }
        #expect(
            reading.failure { _ = try prefix(#"{"layout":"[layers, pre_seq_len]"}"#) }
                .hasPrefix("prefix/config.json: 'layout' is"))
        #expect(
            reading.failure { _ = try prefix(#"{"prefix_projection":"true"}"#) }
                == "prefix/config.json: 'prefix_projection' is \"true\", expected true or false")
    }
}
