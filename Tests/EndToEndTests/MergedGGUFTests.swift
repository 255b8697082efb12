import Adapters
import Checkpoints
import Foundation
import Kernels
import LlamaSlots
import Testing
import Transformer

/// Adapters merged into GGUF files, against gguf-py's blocks and PEFT's logits.
struct MergedGGUFTests {
    private static let pool = GoldenTests.pool
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func merge(
        _ base: String, _ adapter: String = "law", _ type: WeightType? = nil,
        as name: String = "merged.gguf"
    ) throws -> String {
        let model = try GoldenTests.base(base)
        let loaded = try AdapterReader.read(
            name: adapter, path: Checkout.adapter(adapter), slots: model.slots, base: model,
            pool: Self.pool)
        let writer = try MergeWriter(
            base: model, checkpoint: BaseCheckpoint.open(path: Checkout.model(base)),
            adapters: [(loaded, 1)], options: MergeOptions(weightType: type), pool: Self.pool)
        _ = try writer.write(to: directory.file(name))
        return directory.file(name)
    }

    private func mergedFile(
        _ base: String, _ adapter: String = "law", _ type: WeightType? = nil
    ) throws -> GGUFFile {
        try GGUFFile(path: merge(base, adapter, type))
    }

    private func bytes(_ file: GGUFFile, _ name: String) throws -> [UInt8] {
        [UInt8](try file.readableTensor(name).bytes)
    }

    @Test(arguments: ["Q8_0", "Q4_0", "Q4_1"])
    func changedMatricesHaveTheBlocksThatTheReferenceMakes(type: String) throws {
        let file = try mergedFile("gguf/tiny-llama-\(type).gguf")
        let goldens = try MergingGoldens.file()
        for name in goldens.tensorNames where name.hasPrefix(type + "/") {
            let expected = [UInt8](try goldens.requiredTensor(name).bytes)
            let found = try bytes(file, String(name.dropFirst(type.count + 1)))
            try #require(found.count == expected.count, "\(name)")
            // Sums of another order may round a value to the next level.
            let otherCount = zip(found, expected).count { $0 != $1 }
            #expect(otherCount * 500 <= found.count, "\(name): \(otherCount) of \(found.count)")
        }
    }

    /// A mapped read behind the file's end would end the process.
    @Test func aBaseThatIsCutWhileItIsMergedIsRefused() throws {
        let path = directory.file("base.gguf")
        try FileManager.default.copyItem(
            atPath: Checkout.model("gguf/tiny-llama-F16.gguf"), toPath: path)
        let checkpoint = try BaseCheckpoint.open(path: path)
        let model = try BaseModel(checkpoint: checkpoint, pool: Self.pool)
        let adapter = try AdapterReader.read(
            name: "a", path: Checkout.adapter("some-layers"), slots: model.slots, base: model,
            pool: Self.pool)
        let writer = try MergeWriter(
            base: model, checkpoint: checkpoint, adapters: [(adapter, 1)], pool: Self.pool)
        let merged = directory.file("merged.gguf")
        var isCut = false
        let error = #expect(throws: AdapterError.self) {
            _ = try writer.write(to: merged) { _ in
                guard !isCut else { return }
                isCut = true
                truncate(path, 4096)
            }
        }
        #expect(
            error?.description.contains("the file was changed while it was read; try again")
                == true, "\(error as Any)")
        #expect(!FileManager.default.fileExists(atPath: merged))
    }

    @Test(arguments: ["Q8_0", "Q4_1", "F16"])
    func allElseStaysByteForByte(type: String) throws {
        let own = try GGUFFile(path: Checkout.model("gguf/tiny-llama-\(type).gguf"))
        // Of the fixture's adapters this one leaves most alone.
        let file = try mergedFile("gguf/tiny-llama-\(type).gguf", "some-layers")
        #expect([UInt8](file.keySection) == [UInt8](own.keySection))
        #expect(file.tensorNames == own.tensorNames)
        var changedCount = 0
        for name in own.tensorNames {
            #expect(file.storedType(of: name)?.typeName == own.storedType(of: name)?.typeName)
            if try bytes(file, name) != bytes(own, name) { changedCount += 1 }
        }
        #expect((1..<own.tensorNames.count / 2).contains(changedCount))
    }

    @Test(arguments: [
        ("tiny-llama-F32", "law", Float(1e-3)), ("tiny-llama-F16", "law", 0.1),
        ("tiny-llama-BF16", "law", 1),
    ])
    func theFileAnswersAsPEFTDoes(base: String, adapter: String, limit: Float) throws {
        let golden = try #require(
            GoldenCase.all.first { $0.id == "gguf/\(base)/\(adapter)@1" })
        _ = try merge("gguf/\(base).gguf", adapter)
        let merged = try BaseModel.open(
            path: directory.file("merged.gguf"), pool: Self.pool, keyValueType: .f32)
        let runner = SequenceRunner(base: merged, plan: .base(merged.slots), pool: Self.pool)
        for (index, prompt) in golden.prompts.enumerated() {
            let difference = try runner.difference(
                after: prompt, to: golden.logits(prompt: index))
            #expect(difference <= limit, "prompt \(index): \(difference)")
        }
    }

    @Test(arguments: [
        ("gguf/tiny-llama-Q8_0.gguf", "law"), ("gguf/tiny-llama-Q4_1.gguf", "law"),
        ("gguf/tiny-qwen2-Q8_0.gguf", "qwen"),
    ])
    func aQuantisedBaseBecomesADequantisedDirectory(base: String, adapter: String) throws {
        let golden = try #require(
            GoldenCase.all.first { $0.base == base && $0.adapters.map(\.name) == [adapter] })
        _ = try merge(base, adapter, .f32, as: "merged")
        let merged = try BaseModel.open(path: directory.file("merged"), pool: Self.pool)
        #expect(merged.weightType == .f32)
        let runner = SequenceRunner(base: merged, plan: .base(merged.slots), pool: Self.pool)
        for (index, prompt) in golden.prompts.enumerated() {
            let difference = try runner.difference(
                after: prompt, to: golden.exactLogits(prompt: index))
            #expect(difference <= 2e-3, "prompt \(index): \(difference)")
        }
    }

    @Test(arguments: ["Q8_0", "Q4_0", "F16"])
    func aPackedModelHoldsTheSameWeights(type: String) throws {
        let base = "gguf/tiny-llama-\(type).gguf"
        _ = try merge(base)
        _ = try merge(base, as: "merged.bin")
        let models = try ["merged.gguf", "merged.bin"].map {
            try BaseModel.open(path: directory.file($0), pool: Self.pool)
        }
        for slot in models[0].slots.linearSlots {
            #expect(models[0].matrix(at: slot).type == models[1].matrix(at: slot).type)
        }
        let logits = models.map {
            SequenceRunner(base: $0, plan: .base($0.slots), pool: Self.pool).logits([1, 40, 300])
        }
        #expect(logits[0] == logits[1])
    }

    @Test func theAskedTypeIsThatOfChangedMatricesAlone() throws {
        let own = try GGUFFile(path: Checkout.model("gguf/tiny-llama-Q4_1.gguf"))
        let file = try mergedFile("gguf/tiny-llama-Q4_1.gguf", "some-layers", .q8_0)
        let changed = file.tensorNames.filter {
            file.storedType(of: $0)?.typeName != own.storedType(of: $0)?.typeName
        }
        #expect(!changed.isEmpty)
        #expect(changed.allSatisfy { file.storedType(of: $0)?.typeName == "Q8_0" })
        let merged = try BaseModel.open(
            path: directory.file("merged.gguf"), pool: Self.pool, keyValueType: .f32)
        #expect(merged.matrix(at: .layer(0, .gate)).type == .q4_1)
    }

    @Test func aHeadThatIsTheEmbeddingNoLongerGetsATableOfItsOwn() throws {
        let file = try mergedFile("gguf/tiny-llama-F32.gguf", "head-tied")
        #expect(file.tensorNames.contains("output.weight"))
        let golden = try #require(GoldenCase.all.first { $0.id == "tiny-llama/head-tied@1" })
        let merged = try BaseModel.open(
            path: directory.file("merged.gguf"), pool: Self.pool, keyValueType: .f32)
        #expect(!merged.configuration.tiesHeadToEmbedding)
        let runner = SequenceRunner(base: merged, plan: .base(merged.slots), pool: Self.pool)
        #expect(
            try runner.difference(after: golden.prompts[2], to: golden.logits(prompt: 2)) < 1e-3)
    }

    @Test func whatNoFileCanHoldIsRefused() throws {
        #expect {
            try merge("tiny-llama")
        } throws: {
            "\($0)".contains("takes its tokenizer and settings from the base's")
        }
        #expect {
            try merge("gguf/tiny-llama-Q8_0.gguf", "law", .q4_0, as: "merged")
        } throws: {
            "\($0)".contains("safetensors has no Q4_0: name a .bin file")
        }
        try AtomicFile.write("mine", to: directory.file("taken.gguf"))
        #expect(throws: AdapterError.outputExists(path: directory.file("taken.gguf"))) {
            try merge("gguf/tiny-llama-F32.gguf", as: "taken.gguf")
        }
    }

    @Test(arguments: [WeightType.q8_0, .q4_0, .q4_1])
    func blocksAreTheReferences(type: WeightType) throws {
        let goldens = try MergingGoldens.file()
        let values = try goldens.requiredTensor("values").floats()
        let expected = [UInt8](try goldens.requiredTensor(type.rawValue).bytes)
        var found = [UInt8](repeating: 0xAA, count: expected.count)
        values.withUnsafeBufferPointer { values in
            found.withUnsafeMutableBufferPointer {
                BlockQuantizer.quantizePlainly(values, to: type, into: $0.baseAddress!)
            }
        }
        #expect(found == expected)
    }
}
