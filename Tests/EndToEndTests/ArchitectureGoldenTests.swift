import Adapters
import Checkpoints
import Foundation
import Glibc
import Kernels
import StrictJSON
import Testing
import Transformer

/// Tiny checkpoints of every architecture against transformers and PEFT:
/// Tests/Goldens/architectures.
struct ArchitectureGoldenTests {
    struct Golden: Sendable, CustomTestStringConvertible {
        let name: String
        /// The largest difference of transformers' own bf16 run.
        let distance: Float

        var testDescription: String { name }
        var path: String { ArchitectureGoldenTests.folder + "/" + name }

        static let all: [Golden] = {
            let path = ArchitectureGoldenTests.folder + "/manifest.json"
            guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)),
                let object = (try? JSONValue(parsing: [UInt8](data)))?.objectValue
            else { return [] }
            return object.compactMap { name, value in
                value.objectValue?["bf16"]?.doubleValue.map {
                    Golden(name: name, distance: Float($0))
                }
            }
        }()

        func expected(_ tensor: String) throws -> [Float] {
            try SafetensorsFile(path: path + "/expected.safetensors").requiredTensor(tensor)
                .floats()
        }

        func tokens() throws -> [Int32] {
            let file = try SafetensorsFile(path: path + "/expected.safetensors")
            let view = try file.requiredTensor("tokens")
            return withExtendedLifetime(view.owner) {
                (0..<view.bytes.count / 4).map {
                    view.bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)
                }
            }
        }
    }

    static let folder = Checkout.path("Tests/Goldens/architectures")
    private static let pool = GoldenTests.pool
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// The checkpoint with its values in f32.
    func widened(_ golden: Golden) throws -> String {
        let path = directory.file(golden.name)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: golden.path + "/config.json", toPath: path + "/config.json")
        let stored = try SafetensorsFile(path: golden.path + "/model.safetensors")
        let views = try stored.tensorNames.map { try stored.requiredTensor($0) }
        var rest = views[...]
        try SafetensorsWriter(
            tensors: views.map { .init(name: $0.name, elementType: .f32, shape: $0.shape) }
        ).write(to: path + "/model.safetensors") { (_, sink) throws(CheckpointError) in
            guard let next = rest.popFirst() else { return }
            try sink.write(next.floats().flatMap { withUnsafeBytes(of: $0, Array.init) })
        }
        return path
    }

    func open(_ path: String) throws -> BaseModel {
        try BaseModel.open(path: path, pool: Self.pool, keyValueType: .f32)
    }

    private func difference(
        _ base: BaseModel, _ plan: AdapterPlan, to tensor: String, of golden: Golden,
        chunk: Int = 1024
    ) throws -> Float {
        let runner = SequenceRunner(base: base, plan: plan, pool: Self.pool, chunk: chunk)
        let (found, expected) = (
            runner.logprobs(try golden.tokens()), try golden.expected(tensor)
        )
        try #require(found.count == expected.count)
        return zip(found, expected).reduce(Float(0)) {
            $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
        }
    }

    private func plan(_ base: BaseModel, _ golden: Golden) throws -> AdapterPlan {
        let registry = AdapterRegistry(base: base, options: .init(), settings: .init())
        try registry.load(name: "lora", path: golden.path + "/lora")
        return try registry.lease([SelectionEntry(name: "lora", weight: 1)]).plan
    }

    /// Where `tools/architectures-table` asks for it, what was measured: a line of JSON each.
    private func record(_ kind: String, _ golden: Golden, _ difference: Float) {
        guard let path = ProcessInfo.processInfo.environment["GRAFT_ARCHITECTURE_RECORD"] else {
            return
        }
        let line = JSONValue.object([
            "name": .string(golden.name), "kind": .string(kind),
            "difference": .number(Double(difference)),
        ]).serialized()
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        let bytes = Array((line + "\n").utf8)
        _ = write(descriptor, bytes, bytes.count)
        close(descriptor)
    }

    @Test func theyAreThere() {
        #expect(Golden.all.count >= 33)
    }

    /// All at once, and cut into chunks that windows and pages don't end with.
    @Test(arguments: Golden.all)
    func theBaseAnswersAsInTransformers(golden: Golden) throws {
        let base = try open(widened(golden))
        let plan = AdapterPlan.base(base.slots)
        let found = try difference(base, plan, to: "base", of: golden)
        record("base", golden, found)
        #expect(found < 1e-3)
        #expect(try difference(base, plan, to: "base", of: golden, chunk: 7) < 1e-3)
    }

    @Test(arguments: Golden.all)
    func withBf16ItIsAsNearAsTransformersOwn(golden: Golden) throws {
        let base = try open(golden.path)
        let found = try difference(base, AdapterPlan.base(base.slots), to: "base", of: golden)
        record("bf16", golden, found)
        #expect(found < 1.5 * golden.distance)
    }

    @Test(arguments: Golden.all)
    func loRAOnAllLinearModulesAnswersAsInPEFT(golden: Golden) throws {
        let base = try open(widened(golden))
        let found = try difference(base, try plan(base, golden), to: "lora", of: golden)
        record("lora", golden, found)
        #expect(found < 2e-3)
    }

    /// Merged to disk in the checkpoint's own layout.
    @Test(arguments: Golden.all)
    func mergedItAnswersAsUnderTheAdapter(golden: Golden) throws {
        let path = try widened(golden)
        let out = directory.file("merged")
        let finished = try GraftProcess.run([
            "merge", "--base", path, "--adapter", "lora=\(golden.path)/lora", "--out", out,
        ])
        try #require(finished.status == 0, "\(finished.errors)")
        let merged = try open(out)
        let found = try difference(
            merged, AdapterPlan.base(merged.slots), to: "lora", of: golden)
        record("merged", golden, found)
        #expect(found < 2e-3)
    }

    /// Matrices that checkpoints store turned, or with those of other experts, are as all others
    /// in a `model.bin`.
    @Test(arguments: Golden.all.filter { ["gpt2", "granitemoe", "gpt-oss"].contains($0.name) })
    func mergedIntoAPackedFileItAnswersAsUnderTheAdapter(golden: Golden) throws {
        let path = try widened(golden)
        let out = directory.file("merged.bin")
        let finished = try GraftProcess.run([
            "merge", "--base", path, "--adapter", "lora=\(golden.path)/lora", "--out", out,
        ])
        try #require(finished.status == 0, "\(finished.errors)")
        let merged = try open(out)
        let found = try difference(
            merged, AdapterPlan.base(merged.slots), to: "lora", of: golden)
        #expect(found < 2e-3)
    }

    @Test(arguments: Golden.all)
    func packedItIsTheSame(golden: Golden) throws {
        let base = try open(widened(golden))
        let path = directory.file("model.bin")
        try base.writePacked(to: path)
        let packed = try open(path)
        #expect(packed.configuration == base.configuration)
        let tokens = try golden.tokens()
        let logits = [base, packed].map {
            SequenceRunner(base: $0, plan: AdapterPlan.base($0.slots), pool: Self.pool).logits(
                tokens)
        }
        #expect(logits[0] == logits[1])
    }
}
