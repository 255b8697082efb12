import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// Adapters that part the one table of a tied base, merged in every form: the result answers as
/// they do attached.
struct TiedMergeTests {
    private static let pool = GoldenTests.pool
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test(arguments: ["both", "head"], ["merged", "merged.bin", "merged.gguf"])
    func aMergedTiedBaseAnswersAsTheAdapterAttached(adapter: String, out: String) throws {
        let isGGUF = out.hasSuffix(".gguf")
        let checkpoint = try BaseCheckpoint.open(
            path: isGGUF
                ? BaseFileCase.folder + "/L3t-F32.gguf" : Situation.folder + "/bases/L3t")
        let base = try BaseModel(checkpoint: checkpoint, pool: Self.pool, keyValueType: .f32)
        #expect(base.configuration.tiesHeadToEmbedding)
        let folder = Situation.folder + "/tied-both-saved"
        let loaded = try AdapterReader.read(
            name: "a", path: "\(folder)/\(adapter)", slots: base.slots, base: base,
            pool: Self.pool)
        let path = directory.file(out)
        _ = try MergeWriter(
            base: base, checkpoint: checkpoint, adapters: [(loaded, 1)], pool: Self.pool
        ).write(to: path)

        let merged = try BaseModel.open(path: path, pool: Self.pool, keyValueType: .f32)
        #expect(!merged.configuration.tiesHeadToEmbedding)
        let runner = SequenceRunner(
            base: merged, plan: AdapterPlan.base(merged.slots), pool: Self.pool)
        let expected = try SafetensorsFile(path: folder + "/expected.safetensors")
            .requiredTensor(adapter).floats()
        let found = runner.logprobs((1...16).map(Int32.init))
        try #require(found.count == expected.count)
        for (found, expected) in zip(found, expected) { #expect(abs(found - expected) < 1e-3) }

        if isGGUF { #expect(try GGUFFile(path: path).storedType(of: "output.weight") != nil) }
        guard out == "merged" else { return }
        let text = try Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))
        let config = try #require(try JSONValue(parsing: [UInt8](text)).objectValue)
        #expect(config["tie_word_embeddings"] == .bool(false))
        let names = try SafetensorsFile(path: path + "/model.safetensors").tensorNames
        #expect(names.contains("lm_head.weight") && names.contains("model.embed_tokens.weight"))
    }

    /// A base whose configuration ties two tables that differ says the truth once it is merged.
    @Test(arguments: ["merged", "merged.bin"])
    func aBaseOfTwoTablesStaysOne(out: String) throws {
        let variant = try #require(BaseFileCase.all.first { $0.name == "tied-head-differs" })
        try variant.write(to: directory.path)
        let checkpoint = try BaseCheckpoint.open(path: directory.path)
        let base = try BaseModel(checkpoint: checkpoint, pool: Self.pool, keyValueType: .f32)
        let loaded = try AdapterReader.read(
            name: "a", path: BaseFileCase.folder + "/sixteen-bit/small", slots: base.slots,
            base: base, pool: Self.pool)
        let path = directory.file(out)
        _ = try MergeWriter(
            base: base, checkpoint: checkpoint, adapters: [(loaded, 0)], pool: Self.pool
        ).write(to: path)
        let merged = try BaseModel.open(path: path, pool: Self.pool, keyValueType: .f32)
        #expect(!merged.configuration.tiesHeadToEmbedding)
        let runner = SequenceRunner(
            base: merged, plan: AdapterPlan.base(merged.slots), pool: Self.pool)
        let found = runner.logprobs(BaseFileCase.tokens)
        for (found, expected) in zip(found, try BaseFileCase.expected(variant.name)) {
            #expect(abs(found - expected) < 1e-3)
        }
    }
}
