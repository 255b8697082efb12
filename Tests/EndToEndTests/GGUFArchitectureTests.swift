import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// The tiny checkpoints of Tests/Goldens/architectures as llama.cpp's converter writes them,
/// against transformers and PEFT.
struct GGUFArchitectureTests {
    struct Golden: Sendable, CustomTestStringConvertible {
        let name: String
        var testDescription: String { name }
        var folder: String { GGUFArchitectureTests.folder + "/" + name }

        /// The weights are those of the checkpoint beside it, which an adapter was trained on.
        var isTheCheckpoints: Bool {
            !FileManager.default.fileExists(atPath: folder + "/gguf.safetensors")
        }

        static let all: [Golden] = {
            let names =
                (try? FileManager.default.contentsOfDirectory(
                    atPath: GGUFArchitectureTests.folder)) ?? []
            return names.sorted().map(Golden.init).filter {
                FileManager.default.fileExists(atPath: $0.folder + "/model.gguf")
            }
        }()

        static let adapted = all.filter(\.isTheCheckpoints)

        private func expected() throws -> SafetensorsFile {
            let name = isTheCheckpoints ? "expected.safetensors" : "gguf.safetensors"
            return try SafetensorsFile(path: folder + "/" + name)
        }

        func expected(_ tensor: String) throws -> [Float] {
            try expected().requiredTensor(tensor).floats()
        }

        func tokens() throws -> [Int32] {
            let view = try expected().requiredTensor("tokens")
            return withExtendedLifetime(view.owner) {
                (0..<view.bytes.count / 4).map {
                    view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)
                }
            }
        }
    }

    private static let folder = Checkout.path("Tests/Goldens/architectures")
    private static let pool = GoldenTests.pool
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// The file with its values in f32.
    private func widened(_ golden: Golden) throws -> String {
        let path = directory.file(golden.name + ".gguf")
        let stored = try GGUFFile(path: golden.folder + "/model.gguf")
        var rest = stored.tensorNames[...]
        try GGUFWriter(
            keysOf: stored,
            tensors: stored.tensorNames.map {
                .init(name: $0, elementType: .f32, shape: try stored.readableTensor($0).shape)
            }
        ).write(to: path) { _ throws(CheckpointError) in
            guard let next = rest.popFirst() else { return [] }
            return try stored.readableTensor(next).floats().flatMap {
                withUnsafeBytes(of: $0, Array.init)
            }
        }
        return path
    }

    private func open(_ path: String) throws -> BaseModel {
        try BaseModel.open(path: path, pool: Self.pool, keyValueType: .f32)
    }

    private func plan(_ base: BaseModel, _ path: String) throws -> AdapterPlan {
        let registry = AdapterRegistry(base: base, options: .init(), settings: .init())
        try registry.load(name: "a", path: path)
        return try registry.lease([SelectionEntry(name: "a", weight: 1)]).plan
    }

    private func difference(
        _ base: BaseModel, _ plan: AdapterPlan? = nil, to tensor: String, of golden: Golden
    ) throws -> Float {
        let runner = SequenceRunner(
            base: base, plan: plan ?? AdapterPlan.base(base.slots), pool: Self.pool)
        return Self.largest(
            runner.logprobs(try golden.tokens()), try golden.expected(tensor))
    }

    private static func largest(_ found: [Float], _ expected: [Float]) -> Float {
        guard found.count == expected.count else { return .infinity }
        return zip(found, expected).reduce(Float(0)) {
            $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
        }
    }

    private func merge(_ base: String, _ adapter: String, into name: String) throws -> String {
        let out = directory.file(name)
        let finished = try GraftProcess.run([
            "merge", "--base", base, "--adapter", "a=\(adapter)", "--out", out,
        ])
        try #require(finished.status == 0, "\(finished.errors)")
        return out
    }

    /// An adapter with gains of its own.
    private func trainedGains(of base: BaseModel) throws -> String {
        let adapter = directory.file("gains")
        try FileManager.default.createDirectory(
            atPath: adapter, withIntermediateDirectories: true)
        try #"{"peft_type":"LN_TUNING","target_modules":["input_layernorm"]}"#.write(
            toFile: adapter + "/adapter_config.json", atomically: true, encoding: .utf8)
        let names = (0..<base.configuration.layerCount).map {
            "base_model.model.model.layers.\($0).input_layernorm.ln_tuning_layers.weight"
        }
        try SafetensorsWriter(
            tensors: names.map {
                .init(name: $0, elementType: .f32, shape: [base.slots.hiddenSize])
            }
        ).write(to: adapter + "/adapter_model.safetensors") { (_, sink) throws(CheckpointError) in
            try sink.write(
                (0..<base.slots.hiddenSize).flatMap {
                    withUnsafeBytes(of: 0.25 + 0.03 * Float($0), Array.init)
                })
        }
        return adapter
    }

    @Test func theyAreThere() {
        #expect(Golden.all.count >= 27)
        #expect(Golden.adapted.count >= 19)
    }

    @Test(arguments: Golden.all)
    func theBaseAnswersAsInTransformers(golden: Golden) throws {
        #expect(try difference(open(widened(golden)), to: "base", of: golden) < 1e-3)
    }

    /// Names and rows of adapters are Hugging Face's whatever the file's are.
    @Test(arguments: Golden.adapted)
    func loRAAnswersAsInPEFT(golden: Golden) throws {
        let base = try open(widened(golden))
        let plan = try plan(base, golden.folder + "/lora")
        #expect(try difference(base, plan, to: "lora", of: golden) < 2e-3)
    }

    @Test(arguments: Golden.adapted)
    func mergedIntoAGGUFFileItAnswersAsUnderTheAdapter(golden: Golden) throws {
        let path = try merge(widened(golden), golden.folder + "/lora", into: "merged.gguf")
        #expect(try difference(open(path), to: "lora", of: golden) < 2e-3)
    }

    /// Divisors of frequencies have no place in `config.json`.
    @Test(arguments: Golden.adapted.filter { $0.name != "llama-3" })
    func mergedIntoADirectoryItAnswersAsUnderTheAdapter(golden: Golden) throws {
        let path = try merge(widened(golden), golden.folder + "/lora", into: "merged")
        #expect(try difference(open(path), to: "lora", of: golden) < 2e-3)
    }

    /// llama.cpp's form of a LoRA has the file's names and the order of its rows.
    @Test(arguments: Golden.adapted)
    func aLoRAOfLlamaCppAnswersAsThatOfPEFT(golden: Golden) throws {
        let base = try widened(golden)
        let path = directory.file("lora.gguf")
        _ = try AdapterConversion(from: golden.folder + "/lora", basePath: base)
            .write(as: .gguf, to: path)
        let opened = try open(base)
        #expect(try difference(opened, plan(opened, path), to: "lora", of: golden) < 2e-3)
    }

    /// Queries, keys and values lie in one tensor, which a part of would be lost in.
    @Test func tensorsThatHoldSeveralModulesAreNotMergedInto() throws {
        let golden = Golden(name: "glm")
        let path = try widened(golden)
        let finished = try GraftProcess.run([
            "merge", "--base", path, "--adapter", "a=\(trainedGains(of: open(path)))", "--out",
            directory.file("merged.gguf"),
        ])
        #expect(finished.status != 0)
        #expect(
            finished.errors.contains(
                "' holds queries, keys and values together"),
            "\(finished.errors)")
    }

    /// Gains are stored with the 1 that Gemma's norms add to them.
    @Test(arguments: ["gemma", "gemma3", "llama"])
    func trainedGainsAreMergedAsTheFileStoresThem(name: String) throws {
        let golden = Golden(name: name)
        let path = try widened(golden)
        let base = try open(path)
        let adapter = try trainedGains(of: base)
        let runner = SequenceRunner(base: base, plan: try plan(base, adapter), pool: Self.pool)
        let served = runner.logprobs(try golden.tokens())
        #expect(Self.largest(served, try golden.expected("base")) > 0.05)
        for out in ["merged.gguf", "merged"] {
            let merged = try open(merge(path, adapter, into: out))
            let found = SequenceRunner(
                base: merged, plan: AdapterPlan.base(merged.slots), pool: Self.pool
            ).logprobs(try golden.tokens())
            #expect(Self.largest(found, served) < 1e-4, "\(out)")
        }
    }
}
