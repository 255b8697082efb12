import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// Merges into bases of 16 bits, bit for bit against numpy: every weight is the nearest to what f32
/// gives.
struct SixteenBitMergeTests {
    private static let pool = GoldenTests.pool
    private static let folder = BaseFileCase.folder + "/sixteen-bit"
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func merge(
        _ basePath: String, _ adapters: [(name: String, weight: Float)], to name: String
    ) throws -> String {
        let checkpoint = try BaseCheckpoint.open(path: basePath)
        let base = try BaseModel(checkpoint: checkpoint, pool: Self.pool)
        let loaded = try adapters.enumerated().map { index, part in
            let adapter = try AdapterReader.read(
                name: "\(part.name)\(index)", path: "\(Self.folder)/\(part.name)",
                slots: base.slots, base: base, pool: Self.pool)
            return (adapter: adapter, weight: part.weight)
        }
        let writer = try MergeWriter(
            base: base, checkpoint: checkpoint, adapters: loaded, pool: Self.pool)
        _ = try writer.write(to: directory.file(name))
        return directory.file(name)
    }

    /// Row-major bytes of the merged matrices, and those of all others of the base.
    private func expected(_ label: String, _ base: String) throws -> [String: [UInt8]] {
        let own = try SafetensorsFile(path: base + "/model.safetensors")
        let merged = try SafetensorsFile(path: Self.folder + "/merged.safetensors")
        return try Dictionary(
            uniqueKeysWithValues: own.tensorNames.map { name in
                let view = merged.tensor("\(label)/\(name)")
                return (name, [UInt8](try (view ?? own.requiredTensor(name)).bytes))
            })
    }

    private static let bases = [
        ("bf16", Situation.folder + "/bases/L3b"), ("f16", folder + "/L3-F16"),
    ]

    @Test(arguments: bases)
    func aDirectoryHoldsTheNearestWeights(label: String, base: String) throws {
        let path = try merge(base, [("small", 1)], to: "merged")
        let found = try SafetensorsFile(path: path + "/model.safetensors")
        let expected = try expected(label, base)
        #expect(Set(found.tensorNames) == Set(expected.keys))
        for name in found.tensorNames {
            let view = try found.requiredTensor(name)
            #expect(view.elementType == (label == "bf16" ? .bf16 : .f16))
            #expect([UInt8](view.bytes) == expected[name], "\(name)")
        }
        let text = try Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))
        let config = try #require(try JSONValue(parsing: [UInt8](text)).objectValue)
        #expect(config["dtype"] == .string(label == "bf16" ? "bfloat16" : "float16"))
    }

    /// The rows of a matrix as a base holds them, in f32, which 16 bits fit in.
    private func floats(_ base: BaseModel, _ slot: LinearSlot) -> [Float] {
        let matrix = base.matrix(at: slot)
        var values = [Float](repeating: 0, count: matrix.outputCount * matrix.inputCount)
        values.withUnsafeMutableBufferPointer {
            matrix.unpack(into: $0.baseAddress!, pool: nil)
        }
        return values
    }

    private func expectMerged(_ path: String, _ label: String) throws {
        let base = try BaseModel.open(path: path, pool: Self.pool)
        let merged = try SafetensorsFile(path: Self.folder + "/merged.safetensors")
        for slot in base.slots.linearSlots {
            let name = "\(label)/\(base.slots.name(of: .linear(slot))).weight"
            guard let view = merged.tensor(name) else { continue }
            #expect(floats(base, slot) == (try view.floats()), "\(name)")
        }
    }

    @Test(arguments: bases)
    func aPackedFileHoldsTheNearestWeights(label: String, base: String) throws {
        try expectMerged(merge(base, [("small", 1)], to: "merged.bin"), label)
    }

    @Test func aGGUFFileHoldsTheNearestWeights() throws {
        let base = Self.folder + "/L3-F16.gguf"
        let path = try merge(base, [("small", 1)], to: "merged.gguf")
        try expectMerged(path, "f16")
        let (own, found) = (try GGUFFile(path: base), try GGUFFile(path: path))
        #expect([UInt8](own.keySection) == [UInt8](found.keySection))
        for name in own.tensorNames where !name.contains("attn_q") && !name.contains("attn_v") {
            #expect(
                [UInt8](try own.readableTensor(name).bytes)
                    == [UInt8](try found.readableTensor(name).bytes), "\(name)")
        }
    }

    @Test(
        arguments: ["L3-F16", "L3-F16.gguf"],
        ["merged", "merged.bin", "merged.gguf"])
    func aSumThatF16CantHoldIsRefused(base: String, out: String) throws {
        guard base.hasSuffix(".gguf") || !out.hasSuffix(".gguf") else { return }
        let error = #expect(throws: AdapterError.self) {
            _ = try merge("\(Self.folder)/\(base)", [("large", 1)], to: out)
        }
        let text = error?.description ?? ""
        #expect(
            text.contains("70000") && text.contains("v_proj") || text.contains("attn_v"), "\(text)")
        let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(left.isEmpty, "\(left)")
    }

    @Test(
        arguments: [
            Situation.folder + "/bases/L3b", Situation.folder + "/bases/L3", folder + "/L3-F16",
        ])
    func anAdapterAndItsOppositeLeaveTheBasesBytes(base: String) throws {
        let path = try merge(base, [("small", 1), ("small", -1)], to: "merged")
        let own = try SafetensorsFile(path: base + "/model.safetensors")
        let found = try SafetensorsFile(path: path + "/model.safetensors")
        #expect(Set(own.tensorNames) == Set(found.tensorNames))
        for name in own.tensorNames {
            #expect(
                [UInt8](try own.requiredTensor(name).bytes)
                    == [UInt8](try found.requiredTensor(name).bytes), "\(name)")
        }
    }

    @Test func weightsOfOneContentAddUp() throws {
        let base = Situation.folder + "/bases/L3"
        let parts = try merge(base, [("small", 0.25), ("small", 0.75)], to: "parts")
        let whole = try merge(base, [("small", 1)], to: "whole")
        let (found, expected) = (
            try SafetensorsFile(path: parts + "/model.safetensors"),
            try SafetensorsFile(path: whole + "/model.safetensors")
        )
        for name in expected.tensorNames {
            #expect(
                try found.requiredTensor(name).floats()
                    == expected.requiredTensor(name).floats(), "\(name)")
        }
    }
}
