import Adapters
import Checkpoints
import Kernels
import Foundation
import StrictJSON
import Testing
import Transformer

/// Checkpoints whose files are laid out in other ways than a decoder's own, and those of no
/// architecture that is served.
struct ArchitectureFilesTests {
    private static let pool = GoldenTests.pool
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func golden(_ name: String) throws -> ArchitectureGoldenTests.Golden {
        try #require(ArchitectureGoldenTests.Golden.all.first { $0.name == name })
    }

    /// A golden's checkpoint in f32 with other names of tensors, and another configuration.
    private func rewrite(
        _ golden: ArchitectureGoldenTests.Golden, names: (String) -> String,
        extra: [String] = [], configuration: (JSONObject) -> JSONObject = { $0 }
    ) throws -> String {
        let path = directory.file("changed")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let data = try Data(contentsOf: URL(fileURLWithPath: golden.path + "/config.json"))
        let object = try #require(try JSONValue(parsing: [UInt8](data)).objectValue)
        try AtomicFile.write(
            JSONValue.object(configuration(object)).serialized(), to: path + "/config.json")
        let stored = try SafetensorsFile(path: golden.path + "/model.safetensors")
        let views = try stored.tensorNames.map { try stored.requiredTensor($0) }
        var contents = try views.map { try $0.floats() } + extra.map { _ in [1, 2] }
        try SafetensorsWriter(
            tensors: views.map {
                .init(name: names($0.name), elementType: .f32, shape: $0.shape)
            } + extra.map { .init(name: $0, elementType: .f32, shape: [2]) }
        ).write(to: path + "/model.safetensors") { (_, sink) throws(CheckpointError) in
            try sink.write(
                contents.removeFirst().flatMap { withUnsafeBytes(of: $0, Array.init) })
        }
        return path
    }

    private func difference(
        _ path: String, to golden: ArchitectureGoldenTests.Golden
    ) throws -> (Float, warnings: [String]) {
        let base = try BaseModel.open(path: path, pool: Self.pool, keyValueType: .f32)
        let found = SequenceRunner(
            base: base, plan: AdapterPlan.base(base.slots), pool: Self.pool
        ).logprobs(try golden.tokens())
        let expected = try golden.expected("base")
        try #require(found.count == expected.count)
        return (
            zip(found, expected).reduce(Float(0)) {
                $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
            }, base.warnings
        )
    }

    /// As `AutoModel` saves decoders, without their prefix.
    @Test(arguments: [
        ("gpt2", "transformer."), ("bloom", "transformer."), ("gpt-neox", "gpt_neox."),
    ])
    func aBareDecoderIsRead(name: String, prefix: String) throws {
        let golden = try golden(name)
        let path = try rewrite(golden) {
            $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0
        }
        #expect(try difference(path, to: golden).0 < 1e-3)
    }

    /// What sees images has its language model below another name, in one of two ways.
    @Test(arguments: [true, false])
    func aModelOfSeveralPartsServesItsLanguageModel(isNew: Bool) throws {
        let golden = try golden("gemma3")
        let path = try rewrite(
            golden,
            names: { name in
                guard isNew else { return "language_model." + name }
                return name.replacingOccurrences(of: "model.", with: "model.language_model.")
            },
            extra: [isNew ? "model.vision_tower.x" : "vision_tower.x", "multi_modal_projector.y"],
            configuration: { text in
                ["model_type": .string("gemma3"), "text_config": .object(text)]
            })
        let (found, warnings) = try difference(path, to: golden)
        #expect(found < 1e-3)
        let parts = isNew ? "'model.vision_tower', 'multi_modal_projector'" : "'vision_tower'"
        #expect(warnings.contains { $0.contains("only the language model is served") })
        #expect(warnings.contains { $0.contains(isNew ? "'multi_modal_projector'" : parts) })
        #expect(warnings.contains { $0.contains("vision_tower'") })
    }

    @Test func inspectNamesTheNearestToAModelThatIsNotServed() throws {
        let golden = try golden("qwen3")
        let path = try rewrite(
            golden, names: { $0.replacingOccurrences(of: "k_norm", with: "k_scale") },
            configuration: { object in
                var object = object
                object["model_type"] = .string("qwen9")
                return object
            })
        let finished = try GraftProcess.run(["inspect", "--json", path])
        #expect(finished.status == 0)
        let report = try #require(try JSONValue(parsing: finished.output).objectValue)
        #expect(report["supported"] == .bool(false))
        #expect(report["reason"]?.stringValue?.contains("'model_type' is qwen9") == true)
        let nearest = try #require(report["nearest"]?.stringValue)
        #expect(nearest.hasPrefix("the nearest that is served is qwen3, which has 32 of its 35"))
        #expect(nearest.contains("qwen3 has no 'model.layers.*.self_attn.k_scale.weight'"))
        #expect(nearest.contains("it lacks 'model.layers.*.self_attn.k_norm.weight'"))
    }

    @Test func inspectSaysThatAModelIsServed() throws {
        let finished = try GraftProcess.run(
            ["inspect", "--json", try golden("gemma2").path])
        let report = try #require(try JSONValue(parsing: finished.output).objectValue)
        #expect(report["supported"] == .bool(true))
        #expect(report["nearest"] == nil)
    }
}
