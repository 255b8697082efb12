import Adapters
import Checkpoints
import Kernels
import Testing
import Transformer

/// A model with tensors of many of GGUF's types, against transformers over the values that gguf-py
/// gives them: Tests/Goldens/blocks.
struct BlockTypesTests {
    private static let pool = GoldenTests.pool
    private static let path = Checkout.path("Tests/Goldens/blocks/mixed.gguf")
    /// Matrices are rounded to Q8_0, and the rows that they multiply to 8 bits.
    private static let limit: Float = 0.25
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open(_ path: String) throws -> BaseModel {
        try BaseModel.open(path: path, pool: Self.pool, keyValueType: .f32)
    }

    private func logprobs(_ base: BaseModel) -> [Float] {
        SequenceRunner(base: base, plan: .base(base.slots), pool: Self.pool)
            .logprobs((1...32).map { Int32($0) })
    }

    private func difference(_ base: BaseModel, to name: String) throws -> Float {
        let expected = try SafetensorsFile(
            path: Checkout.path("Tests/Goldens/blocks/mixed.safetensors")
        ).requiredTensor(name).floats()
        let found = logprobs(base)
        try #require(found.count == expected.count)
        return zip(found, expected).reduce(Float(0)) {
            $1.0.isFinite ? max($0, abs($1.0 - $1.1)) : .infinity
        }
    }

    @Test func aModelOfMixedTypesAnswersAsItsValuesDo() throws {
        let base = try open(Self.path)
        #expect(try difference(base, to: "logprobs") < Self.limit)
        #expect(base.weightType == .q8_0)
    }

    @Test func itIsTheSamePacked() throws {
        let base = try open(Self.path)
        try base.writePacked(to: directory.file("model.bin"))
        let packed = try open(directory.file("model.bin"))
        #expect(logprobs(packed) == logprobs(base))
        #expect(packed.warnings.isEmpty)
    }

    @Test func aMergedFileHasQ8_0WhereItChanged() throws {
        let base = try open(Self.path)
        let adapter = try AdapterReader.read(
            name: "a", path: Checkout.path("Tests/Goldens/blocks/adapter"), slots: base.slots,
            base: base, pool: Self.pool)
        let writer = try MergeWriter(
            base: base, checkpoint: BaseCheckpoint.open(path: Self.path),
            adapters: [(adapter, 1)], pool: Self.pool)
        _ = try writer.write(to: directory.file("merged.gguf"))
        let own = try GGUFFile(path: Self.path)
        let merged = try GGUFFile(path: directory.file("merged.gguf"))
        #expect(merged.tensorNames == own.tensorNames)
        for name in own.tensorNames {
            let (before, after) = (try own.readableTensor(name), try merged.readableTensor(name))
            if ["blk.1.attn_q.weight", "blk.1.ffn_down.weight"].contains(name) {
                #expect(after.elementType == .q8_0, "\(name)")
            } else {
                #expect(try before.hasSameContent(as: after), "\(name)")
            }
        }
        #expect(
            try difference(open(directory.file("merged.gguf")), to: "merged") < Self.limit)
    }
}
