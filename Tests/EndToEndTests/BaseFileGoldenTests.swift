import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// Bases whose files say something unusual, against transformers.
struct BaseFileGoldenTests {
    private static let pool = GoldenTests.pool
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ path: String) throws -> BaseModel {
        try BaseModel.open(path: path, pool: Self.pool, keyValueType: .f32)
    }

    private func difference(_ base: BaseModel, to name: String) throws -> Float {
        let runner = SequenceRunner(
            base: base, plan: AdapterPlan.base(base.slots), pool: Self.pool)
        let found = runner.logprobs(BaseFileCase.tokens)
        return zip(found, try BaseFileCase.expected(name)).reduce(Float(0)) {
            $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
        }
    }

    @Test func theVariantsAreThere() {
        #expect(BaseFileCase.all.count >= 25)
    }

    @Test(arguments: BaseFileCase.all)
    func aBaseAnswersAsInTransformers(variant: BaseFileCase) throws {
        try variant.write(to: directory.path)
        let base = try open(directory.path)
        #expect(try difference(base, to: variant.name) < 1e-3)
    }

    @Test(arguments: ["tied-head-differs", "tied-head-alone", "bare-decoder"])
    func itIsTheSamePackedAndAgain(name: String) throws {
        let variant = try #require(BaseFileCase.all.first { $0.name == name })
        try variant.write(to: directory.path)
        let base = try open(directory.path)
        #expect(base.configuration.tiesHeadToEmbedding == (name != "tied-head-differs"))
        try base.writePacked(to: directory.file("model.bin"))
        let packed = try open(directory.file("model.bin"))
        #expect(packed.configuration == base.configuration)
        #expect(try difference(packed, to: name) < 1e-3)
    }

    @Test func keysThatNobodyKnowsAreNamed() throws {
        let variant = try #require(BaseFileCase.all.first { $0.name == "unknown-keys" })
        try variant.write(to: directory.path)
        let warnings = try open(directory.path).warnings
        #expect(warnings.count == 1)
        #expect(warnings[0].contains("'future_flag', 'logits_scaling' are keys that Graft doesn't"))
    }

    @Test func rotarySettingsWithoutEffectAreNamed() throws {
        let variant = try #require(
            BaseFileCase.all.first { $0.name == "rotary-factor-without-type" })
        try variant.write(to: directory.path)
        let warnings = try open(directory.path).warnings
        #expect(
            warnings.contains {
                $0.hasSuffix(
                    "rotary settings 'factor' have no effect with rope_type 'default', as in "
                        + "transformers")
            })
    }

    @Test(arguments: [
        "L3-F32.gguf", "split/L3-00001-of-00003.gguf", "split/L3-00002-of-00003.gguf",
        "split/L3-00003-of-00003.gguf", "split", "split-empty-first/L3-00001-of-00003.gguf",
        "split-empty-first/L3-00003-of-00003.gguf",
    ])
    func aGGUFFileAnswersAsTheCheckpointItWasMadeOf(name: String) throws {
        let base = try open(BaseFileCase.folder + "/" + name)
        #expect(try difference(base, to: "L3") < 1e-3)
        #expect(!base.configuration.tiesHeadToEmbedding)
    }

    @Test func aModelInOnePartMayBeNumbered() throws {
        let path = directory.file("L3-00001-of-00001.gguf")
        try FileManager.default.copyItem(
            atPath: BaseFileCase.folder + "/L3-F32.gguf", toPath: path)
        #expect(try difference(try open(path), to: "L3") < 1e-3)
    }

    /// L3 in llama.cpp's form, with more keys and tensors.
    private func gguf(
        _ keys: [(String, GGUFWriter.Value)], _ extra: [(name: String, values: [Float])] = []
    ) throws -> BaseModel {
        let stored = try GGUFFile(path: BaseFileCase.folder + "/L3-F32.gguf")
        let shape: [(String, UInt32)] = [
            ("block_count", 3), ("context_length", 64), ("embedding_length", 32),
            ("feed_forward_length", 48), ("attention.head_count", 4),
            ("attention.head_count_kv", 2),
        ]
        let own: [(String, GGUFWriter.Value)] =
            [("general.architecture", .text("llama"))]
            + shape.map { ("llama." + $0.0, .count($0.1)) }
            + [("llama.attention.layer_norm_rms_epsilon", .float(1e-6))]
        let views = try stored.tensorNames.map { try stored.readableTensor($0) }
        let tensors =
            views.map { GGUFWriter.Tensor(name: $0.name, elementType: .f32, shape: $0.shape) }
            + extra.map { .init(name: $0.name, elementType: .f32, shape: [$0.values.count]) }
        var contents = (try views.map { try $0.floats() } + extra.map(\.values))[...]
        let path = directory.file("changed.gguf")
        try GGUFWriter(keys: own + keys, tensors: tensors).write(to: path) { _ in
            contents.removeFirst().flatMap { withUnsafeBytes(of: $0, Array.init) }
        }
        return try open(path)
    }

    @Test(arguments: ["llama.rope.scaling.factor", "llama.rope.scale_linear"])
    func aGGUFFactorWithoutTypeIsLinear(key: String) throws {
        #expect(try difference(gguf([(key, .float(4))]), to: "rotary-linear") < 1e-3)
    }

    @Test func theTypeNoneTurnsAGGUFFactorOff() throws {
        let base = try gguf([
            ("llama.rope.scaling.factor", .float(4)), ("llama.rope.scaling.type", .text("none")),
        ])
        #expect(try difference(base, to: "L3") < 1e-3)
    }

    @Test func aGGUFFactorActsBesideDivisors() throws {
        let divisors = try #require(BaseFileCase.manifest["divisors"]?.arrayValue)
            .compactMap(\.doubleValue).map { Float($0) }
        let factor = Float(try #require(BaseFileCase.manifest["factor"]?.doubleValue))
        let base = try gguf(
            [("llama.rope.scaling.factor", .float(factor))],
            [(name: "rope_freqs.weight", values: divisors)])
        #expect(try difference(base, to: "divisors") < 1e-3)
    }

    @Test(arguments: [
        ("L3-00001-of-00003.gguf", "L3-00003-of-00003.gguf"),
        ("L3-00003-of-00003.gguf", "L3-00001-of-00003.gguf"),
    ])
    func theMissingPartIsNamed(opened: String, missing: String) throws {
        for number in 1...3 {
            let name = "L3-0000\(number)-of-00003.gguf"
            guard name != missing else { continue }
            try FileManager.default.copyItem(
                atPath: "\(BaseFileCase.folder)/split/\(name)", toPath: directory.file(name))
        }
        let error = #expect(throws: TransformerError.self) {
            _ = try open(directory.file(opened))
        }
        #expect(
            error?.description.contains("has no \(missing); it is part") == true,
            "\(error as Any)")
    }
}
