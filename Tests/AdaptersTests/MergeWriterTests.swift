import Adapters
import Checkpoints
import Foundation
import LlamaSlots
import Kernels
import StrictJSON
import Testing
import Transformer

@Suite struct MergeWriterTests {
    let directory: ScratchDirectory

    init() throws { directory = try ScratchDirectory() }

    private var output: String { directory.path + "/merged" }

    private func merge(
        _ tiny: TinyBase, _ fixture: AdapterFixture, weight: Float = 1,
        _ options: MergeOptions = MergeOptions()
    ) throws -> (base: BaseModel, report: MergeReport) {
        let (base, checkpoint) = try tiny.open(in: directory)
        let adapter = try AdapterReader.read(
            name: "law", path: try fixture.write(to: directory), slots: base.slots, base: base,
            pool: TinyBase.pool)
        let writer = try MergeWriter(
            base: base, checkpoint: checkpoint, adapters: [(adapter, weight)], options: options,
            pool: TinyBase.pool)
        return (base, try writer.write(to: output))
    }

    private func values(_ matrix: PackedMatrix) -> [Float] {
        var values = [Float](repeating: 0, count: matrix.outputCount * matrix.inputCount)
        values.withUnsafeMutableBufferPointer {
            matrix.unpack(into: $0.baseAddress!, pool: nil)
        }
        return values
    }

    private func reopened() throws -> BaseModel {
        try BaseModel.open(path: output, pool: TinyBase.pool)
    }

    @Test func theMergedMatrixIsTheBasesPlusTheDelta() throws {
        let module = AdapterFixture.query
        let fixture = AdapterFixture.lora([module])
        let (base, report) = try merge(TinyBase(), fixture, weight: 0.5)
        let merged = try reopened()
        let (a, b) = (fixture.tensors[0].values, fixture.tensors[1].values)
        let own = values(base.matrix(at: .layer(0, .query)))
        let found = values(merged.matrix(at: .layer(0, .query)))
        for row in 0..<16 {
            for column in 0..<16 {
                let delta = b[row * 2] * a[column] + b[row * 2 + 1] * a[16 + column]
                let expected = own[row * 16 + column] + 0.5 * 2 * delta
                #expect(abs(found[row * 16 + column] - expected) < 1e-6)
            }
        }
        #expect(
            values(merged.matrix(at: .layer(1, .query)))
                == values(base.matrix(at: .layer(1, .query))))
        #expect(report.changedModuleCount == 1)
        #expect(report.fileNames == ["model.safetensors"])
    }

    @Test func aHeadOfATiedBaseIsUntied() throws {
        let (base, report) = try merge(TinyBase(isTied: true), AdapterFixture.lora(["lm_head"]))
        let merged = try reopened()
        #expect(report.untiesHead)
        #expect(!merged.configuration.tiesHeadToEmbedding)
        #expect(values(merged.weights.embedding) == values(base.weights.embedding))
        #expect(values(merged.matrix(at: .head)) != values(base.matrix(at: .head)))
    }

    @Test func typesAreKeptUnlessAnotherIsAskedFor() throws {
        let fixture = AdapterFixture.lora([AdapterFixture.query])
        let (base, _) = try merge(TinyBase(elementType: .bf16), fixture)
        let merged = try reopened()
        #expect(merged.weightType == .bf16)
        #expect(
            values(merged.matrix(at: .layer(0, .key))) == values(base.matrix(at: .layer(0, .key))))
        try FileManager.default.removeItem(atPath: output)
        _ = try merge(TinyBase(elementType: .bf16), fixture, MergeOptions(weightType: .f16))
        #expect(try reopened().weightType == .f16)
    }

    @Test func manyShardsReadBackAsOneModel() throws {
        let fixture = AdapterFixture.lora([AdapterFixture.query])
        let (_, report) = try merge(
            TinyBase(), fixture, MergeOptions(maximumShardByteCount: 4096))
        #expect(report.fileNames.count > 1)
        #expect(try reopened().slots.layerCount == 2)
    }

    @Test func nothingIsWrittenWhereTheResultIsNotFinite() throws {
        var fixture = AdapterFixture.lora([AdapterFixture.query])
        for index in fixture.tensors[0].values.indices { fixture.tensors[0].values[index] = 3e38 }
        for index in fixture.tensors[1].values.indices { fixture.tensors[1].values[index] = 3e38 }
        #expect(throws: AdapterError.self) { try merge(TinyBase(), fixture) }
        let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(left.sorted() == ["adapter", "base"])
    }

    @Test func anOutputInUseIsRefused() throws {
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        try AtomicFile.write("mine", to: output + "/notes.txt")
        #expect(throws: AdapterError.outputExists(path: output)) {
            try merge(TinyBase(), AdapterFixture.lora([AdapterFixture.query]))
        }
    }

    @Test func whatNoCheckpointCanHoldIsRefused() throws {
        #expect(
            throws: AdapterError.merge(
                .notWeightSpace(
                    adapter: "law", .prefix))
        ) {
            try merge(TinyBase(), AdapterFixture.prefix())
        }
        var fixture = AdapterFixture.lora([AdapterFixture.query], ["lora_bias": .bool(true)])
        fixture.tensors.append(
            FloatTensor("base_model.model.\(AdapterFixture.query).lora_B.bias", [16]))
        #expect {
            try merge(TinyBase(), fixture)
        } throws: {
            "\($0)".hasPrefix(
                "adapter 'law' can't become a checkpoint: '\(AdapterFixture.query)' gets a bias")
        }
    }
}
