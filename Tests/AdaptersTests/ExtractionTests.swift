import Adapters
import Checkpoints
import Foundation
import LlamaSlots
import Kernels
import StrictJSON
import Testing
import Transformer

/// A LoRA from two checkpoints gives back what made one from the other.
@Suite struct ExtractionTests {
    private let directory: ScratchDirectory
    private let query = "model.layers.0.self_attn.q_proj"
    private let down = "model.layers.1.mlp.down_proj"

    init() throws { directory = try ScratchDirectory() }

    /// The base, and a copy of it with `changes` added to its tensors.
    private func models(
        _ changes: [String: [Float]], on tiny: TinyBase = TinyBase()
    ) throws -> (base: BaseModel, tuned: BaseModel) {
        let (base, checkpoint) = try tiny.open(in: directory)
        let path = directory.path + "/tuned"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: directory.path + "/base/config.json", toPath: path + "/config.json")
        let tensors = try checkpoint.tensors.tensorNames.map { name in
            let view = try checkpoint.tensors.requiredTensor(name)
            var tensor = FloatTensor(name, view.shape)
            tensor.values = try view.floats()
            for (index, value) in (changes[name] ?? []).enumerated() {
                tensor.values[index] += value
            }
            return tensor
        }
        try FloatTensor.write(tensors, to: path + "/model.safetensors")
        return (base, try BaseModel.open(path: path, pool: TinyBase.pool))
    }

    /// A change of rank 2.
    private func lowRank(_ rows: Int, _ columns: Int, seed: UInt64) -> [Float] {
        let b = FloatTensor("b", [rows, 2], seed: seed).values
        let a = FloatTensor("a", [2, columns], seed: seed + 1).values
        var product: [Float] = []
        for row in 0..<rows {
            let (first, second) = (b[2 * row], b[2 * row + 1])
            for column in 0..<columns {
                product.append(first * a[column] + second * a[columns + column])
            }
        }
        return product
    }

    private func extract(
        _ models: (base: BaseModel, tuned: BaseModel), _ options: ExtractionOptions
    ) throws -> ExtractionReport {
        try LoRAExtraction(
            base: models.base, tuned: models.tuned, options: options, pool: TinyBase.pool
        ).write(to: directory.path + "/out")
    }

    private func read(_ base: BaseModel) throws -> LoadedAdapter {
        try AdapterReader.read(
            name: "out", path: directory.path + "/out", slots: base.slots, base: base,
            pool: TinyBase.pool)
    }

    /// The largest difference of the tuned weights and the base's with the adapter merged.
    private func difference(
        _ models: (base: BaseModel, tuned: BaseModel)
    ) throws -> Float {
        let part = SelectedOperators(
            name: "out", operators: try read(models.base).operators, weight: 1)
        var largest: Float = 0
        for slot in models.base.slots.linearSlots {
            let merged = try models.base.merged(at: slot, with: [part], pool: TinyBase.pool)
            let tuned = try models.tuned.merged(at: slot, with: [], pool: TinyBase.pool)
            for index in 0..<merged.matrix.count {
                largest = max(
                    largest, abs(merged.matrix.pointer[index] - tuned.matrix.pointer[index]))
            }
        }
        return largest
    }

    @Test(arguments: [ExtractionOptions.Rank.fixed(2), .energy(0.99999)])
    func aLowRankChangeComesBack(rank: ExtractionOptions.Rank) throws {
        let models = try models([
            query + ".weight": lowRank(16, 16, seed: 3), down + ".weight": lowRank(16, 24, seed: 9),
        ])
        let report = try extract(models, ExtractionOptions(rank: rank))
        #expect(report.share > 0.9999)
        #expect(report.kinds.map(\.name) == ["q_proj", "down_proj"])
        #expect(report.kinds.allSatisfy { $0.ranks == 2...2 && $0.moduleCount == 1 })
        #expect(try difference(models) < 1e-5)
        #expect(try read(models.base).targets == "q_proj, down_proj")
    }

    @Test func aSmallerRankKeepsPartOfTheEnergy() throws {
        let models = try models([query + ".weight": lowRank(16, 16, seed: 3)])
        let report = try extract(models, ExtractionOptions(rank: .fixed(1)))
        #expect(report.share > 0.3 && report.share < 0.999)
        #expect(try difference(models) > 1e-3)
    }

    @Test func theRestIsRefusedOrSavedOrLeftOut() throws {
        var tiny = TinyBase()
        tiny.isTied = true
        tiny.hasAttentionBias = true
        let models = try models(
            [
                query + ".weight": lowRank(16, 16, seed: 3),
                query + ".bias": [1, 0.5], "model.norm.weight": [0.25],
                "model.embed_tokens.weight": [0.5, 0, 0.125],
            ], on: tiny)
        let refusal = AdapterFailure.description {
            _ = try extract(models, ExtractionOptions(rank: .fixed(2)))
        }
        #expect(
            refusal
                == "'model.embed_tokens' can't become part of a LoRA: with 2 others it differs, and a LoRA "
                + "holds changes of linear layers only: --save-rest saves it whole, --ignore-rest "
                + "leaves it out")
        let report = try extract(models, ExtractionOptions(rank: .fixed(2), rest: .save))
        #expect(report.savedModules.contains("model.norm"))
        #expect(try difference(models) < 1e-5)
        let adapter = try read(models.base)
        let part = SelectedOperators(name: "out", operators: adapter.operators, weight: 1)
        let table = try models.base.mergedEmbedding(with: [part], pool: TinyBase.pool)
        let tuned = try models.tuned.mergedEmbedding(with: [], pool: TinyBase.pool)
        #expect((0..<table.count).allSatisfy { table.pointer[$0] == tuned.pointer[$0] })
        let merged = try models.base.merged(
            at: .layer(0, .query), with: [part], pool: TinyBase.pool)
        let bias = try #require(models.tuned.bias(at: .layer(0, .query)))
        #expect(largestDifference(merged.bias ?? [], bias) < 1e-6)
    }

    @Test func whatIsIgnoredIsSaid() throws {
        let models = try models([
            query + ".weight": lowRank(16, 16, seed: 3), "model.norm.weight": [0.25],
            "lm_head.weight": [1],
        ])
        let report = try extract(models, ExtractionOptions(rank: .fixed(2), rest: .ignore))
        #expect(report.notes == ["the change of lm_head, model.norm was left out"])
    }

    @Test func targetsLimitWhatIsExtracted() throws {
        let models = try models([
            query + ".weight": lowRank(16, 16, seed: 3), down + ".weight": lowRank(16, 24, seed: 9),
        ])
        let report = try extract(
            models, ExtractionOptions(rank: .fixed(2), targets: ["down_proj"]))
        #expect(report.notes == ["\(query) differs too, and is not targeted"])
        #expect(try read(models.base).targets == "down_proj")
    }

    @Test func checkpointsThatDoNotCorrespondAreRefused() throws {
        let models = try models([:])
        #expect(
            AdapterFailure.description {
                _ = try extract(models, ExtractionOptions(rank: .fixed(2)))
            }
                == "'\(models.tuned.path)' can't become part of a LoRA: none of the targeted layers differs "
                + "from \(models.base.path)")
        #expect(
            AdapterFailure.description {
                _ = try extract(models, ExtractionOptions(rank: .fixed(2), targets: ["c_attn"]))
            }.hasPrefix(
                "'c_attn' can't become part of a LoRA: the base has no linear layer of this name"))
        let other = try BaseModel.open(
            path: ReferenceFiles.model("tiny-llama"), pool: TinyBase.pool)
        #expect(
            AdapterFailure.description {
                _ = try extract((models.base, other), ExtractionOptions(rank: .fixed(2)))
            }
                == "'\(other.path)' can't become part of a LoRA: it has 3 layers, \(models.base.path) has 2"
        )
    }
}
