import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// Checkpoints that don't quite match, and what an extraction makes of them: served, its adapter
/// answers as the tuned checkpoint does, or what is left out has a name.
struct ExtractionSituationTests {
    private let directory: TemporaryDirectory
    private let tokens = (1...16).map(Int32.init)
    private let query = "model.layers.0.self_attn.q_proj"

    init() throws { directory = try TemporaryDirectory() }

    /// A checkpoint to be tuned: settings and tensors.
    private struct Checkpoint {
        var settings: JSONObject
        var tensors: [String: (shape: [Int], values: [Float])]
        var type = ElementType.f32
        var fileCount = 1

        init(base: String) throws {
            let path = "\(Situation.folder)/bases/\(base)"
            let text = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path + "/config.json")))
            settings = try #require(try JSONValue(parsing: text).objectValue)
            let file = try SafetensorsFile(path: path + "/model.safetensors")
            tensors = [:]
            for name in file.tensorNames {
                let view = try file.requiredTensor(name)
                tensors[name] = (view.shape, try view.floats())
            }
        }

        /// Adds noise that depends on the name.
        mutating func change(_ name: String, by spread: Float = 0.1) {
            guard var tensor = tensors[name] else { return }
            let noise = Self.noise(name, tensor.values.count)
            for index in noise.indices { tensor.values[index] += spread * noise[index] }
            tensors[name] = tensor
        }

        /// Adds a product of this rank.
        mutating func change(_ name: String, rank: Int) {
            guard var tensor = tensors[name] else { return }
            let (rows, columns) = (tensor.shape[0], tensor.shape[1])
            let b = Self.noise(name + "b", rows * rank)
            let a = Self.noise(name + "a", rank * columns)
            for row in 0..<rows {
                for column in 0..<columns {
                    for index in 0..<rank {
                        tensor.values[row * columns + column] +=
                            0.1 * b[row * rank + index] * a[index * columns + column]
                    }
                }
            }
            tensors[name] = tensor
        }

        static func noise(_ name: String, _ count: Int) -> [Float] {
            var state = name.utf8.reduce(UInt64(17)) { $0 &* 31 &+ UInt64($1) }
            return (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(Int32.max)
            }
        }

        func write(to path: String) throws {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            var settings = settings
            if type == .bf16 {
                for name in ["dtype", "torch_dtype"] where settings[name] != nil {
                    settings[name] = .string("bfloat16")
                }
            }
            try AtomicFile.write(
                JSONValue.object(settings).serialized(), to: path + "/config.json")
            let names = tensors.keys.sorted()
            var map = JSONObject()
            for part in 0..<fileCount {
                let own = names.enumerated().filter { $0.offset % fileCount == part }
                    .map(\.element)
                let file =
                    fileCount == 1
                    ? "model.safetensors"
                    : "model-0000\(part + 1)-of-0000\(fileCount).safetensors"
                for name in own { map[name] = .string(file) }
                var rest = own[...]
                try SafetensorsWriter(
                    tensors: own.map {
                        .init(name: $0, elementType: type, shape: tensors[$0]?.shape ?? [])
                    }, metadata: ["format": "pt"]
                ).write(to: "\(path)/\(file)") { (_, sink) throws(CheckpointError) in
                    let name = rest.popFirst() ?? ""
                    try sink.write(bytes(tensors[name]?.values ?? []))
                }
            }
            guard fileCount > 1 else { return }
            try AtomicFile.write(
                JSONValue.object(["metadata": .object([:]), "weight_map": .object(map)])
                    .serialized(), to: path + "/model.safetensors.index.json")
        }

        private func bytes(_ values: [Float]) -> [UInt8] {
            if type == .bf16 {
                return values.flatMap { value in
                    withUnsafeBytes(of: HalfPrecision.bf16(value).littleEndian) { [UInt8]($0) }
                }
            }
            return values.withUnsafeBytes { [UInt8]($0) }
        }
    }

    /// A checkpoint with changes of rank 3 in all linear layers of the first and the last layer.
    private func tuned(_ base: String = "L3") throws -> Checkpoint {
        var checkpoint = try Checkpoint(base: base)
        for layer in [0, 2] {
            for module in ["self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj", "mlp.down_proj"] {
                checkpoint.change("model.layers.\(layer).\(module).weight", rank: 3)
            }
        }
        return checkpoint
    }

    private func logprobs(
        _ model: BaseModel, _ adapter: LoadedAdapter? = nil, tokens: [Int32]? = nil
    ) throws -> [Float] {
        let parts = adapter.map {
            [SelectedOperators(name: "a", operators: $0.operators, weight: 1)]
        }
        return SequenceRunner(
            base: model, plan: try AdapterPlan(parts ?? [], slots: model.slots),
            pool: GoldenTests.pool
        ).logprobs(tokens ?? self.tokens)
    }

    private struct Extracted {
        let report: ExtractionReport
        let adapter: LoadedAdapter
        let base: BaseModel
        let tuned: BaseModel
    }

    private func extract(
        _ checkpoint: Checkpoint, on name: String = "L3", rank: Int = 3,
        rest: ExtractionOptions.Rest = .refuse, targets: [String]? = nil
    ) throws -> Extracted {
        let folder = directory.path + "/\(UUID().uuidString.prefix(8))"
        try checkpoint.write(to: folder)
        let base = try SituationTests.base(name)
        let tuned = try BaseModel.open(
            path: folder, pool: GoldenTests.pool, keyValueType: .f32)
        let report = try LoRAExtraction(
            base: base, tuned: tuned,
            options: ExtractionOptions(rank: .fixed(rank), targets: targets, rest: rest),
            pool: GoldenTests.pool
        ).write(to: folder + "/out")
        let adapter = try AdapterReader.read(
            name: "a", path: folder + "/out", slots: base.slots, base: base,
            pool: GoldenTests.pool)
        return Extracted(report: report, adapter: adapter, base: base, tuned: tuned)
    }

    private func failure(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "no error"
    }

    private func expectServedAsTuned(
        _ found: Extracted, tokens: [Int32]? = nil, within limit: Float = 1e-3
    ) throws {
        let expected = try logprobs(found.tuned, tokens: tokens)
        let served = try logprobs(found.base, found.adapter, tokens: tokens)
        #expect(expected.count == served.count)
        let difference = zip(expected, served).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(difference < limit)
    }

    @Test func aChangeOfLowRankIsServedAsTuned() throws {
        let found = try extract(tuned())
        #expect(found.report.share > 0.9999)
        #expect(found.report.notes == [])
        try expectServedAsTuned(found)
    }

    /// More tokens than the base has.
    @Test func aLargerVocabularyIsNamedOrSaved() throws {
        var checkpoint = try tuned()
        checkpoint.settings["vocab_size"] = .integer(100)
        for name in ["model.embed_tokens.weight", "lm_head.weight"] {
            let old = try #require(checkpoint.tensors[name])
            let rows = Checkpoint.noise(name, 4 * 32).map { 0.15 * $0 }
            checkpoint.tensors[name] = ([100, 32], old.values + rows)
        }
        for rest in [ExtractionOptions.Rest.refuse, .ignore] {
            let failure = failure { _ = try extract(checkpoint, rest: rest) }
            #expect(failure.contains("'model.embed_tokens' can't become part of a LoRA: it is"))
            #expect(failure.contains("[100, 32]") && failure.contains("[96, 32]"))
            #expect(failure.hasSuffix("--save-rest saves its tables whole"))
        }
        let targeted = failure {
            _ = try extract(checkpoint, rest: .save, targets: ["lm_head"])
        }
        #expect(targeted.contains("'lm_head'") && targeted.contains("[100, 32]"))
        let found = try extract(checkpoint, rest: .save)
        #expect(found.report.savedModules == ["model.embed_tokens", "lm_head"])
        try expectServedAsTuned(found, tokens: [1, 96, 5, 99, 97, 3, 98, 2])
    }

    @Test func changedNormsAreNamedOrSavedOrSaidToBeLeftOut() throws {
        var checkpoint = try tuned()
        for name in checkpoint.tensors.keys where name.contains("norm") { checkpoint.change(name) }
        #expect(
            failure { _ = try extract(checkpoint) }.contains("input_layernorm' can't become part"))
        let found = try extract(checkpoint, rest: .save)
        #expect(found.report.savedModules.count == 7)
        try expectServedAsTuned(found)
        let ignored = try extract(checkpoint, rest: .ignore)
        #expect(ignored.report.notes.first?.contains("layernorm") == true)
        #expect(ignored.report.notes.first?.hasSuffix("was left out") == true)
    }

    /// Nothing but what a LoRA can't hold.
    @Test func changedNormsAloneAreSaved() throws {
        var checkpoint = try Checkpoint(base: "L3")
        checkpoint.change("model.norm.weight")
        let found = try extract(checkpoint, rest: .save)
        // PEFT's names of modules to save are ends of names: "norm" means every norm.
        #expect(found.report.savedModules.count == 7)
        #expect(found.report.savedModules.last == "model.norm")
        try expectServedAsTuned(found)
        #expect(
            failure { _ = try extract(checkpoint, rest: .ignore) }
                .contains("none of the targeted layers differs"))
    }

    @Test func aChangeOfFullRankKeepsItsBestPart() throws {
        var checkpoint = try Checkpoint(base: "L3")
        checkpoint.change(query + ".weight")
        let found = try extract(checkpoint, rank: 4)
        #expect(found.report.share > 0.2 && found.report.share < 0.9)
        let whole = try extract(checkpoint, rank: 32)
        #expect(whole.report.share > 0.9999)
        try expectServedAsTuned(whole)
    }

    /// The tuned head is no longer the embedding, on a base where it is.
    @Test func aHeadOfItsOwnIsNamedOrSaved() throws {
        var checkpoint = try tuned("L3t")
        checkpoint.settings["tie_word_embeddings"] = .bool(false)
        let embedding = try #require(checkpoint.tensors["model.embed_tokens.weight"])
        checkpoint.tensors["lm_head.weight"] = embedding
        try expectServedAsTuned(extract(checkpoint, on: "L3t"))
        checkpoint.change("lm_head.weight")
        let failure = failure { _ = try extract(checkpoint, on: "L3t") }
        #expect(failure.contains("'lm_head' can't become part of a LoRA: it differs"))
        let found = try extract(checkpoint, on: "L3t", rest: .save)
        #expect(found.report.savedModules == ["lm_head"])
        try expectServedAsTuned(found)
        checkpoint.change("model.embed_tokens.weight")
        let both = try extract(checkpoint, on: "L3t", rest: .save)
        #expect(both.report.savedModules == ["model.embed_tokens", "lm_head"])
        try expectServedAsTuned(both)
        let ignored = try extract(checkpoint, on: "L3t", rest: .ignore)
        #expect(
            ignored.report.notes == [
                "the change of model.embed_tokens, lm_head was left out"
            ])
    }

    /// The other way round: the tuned checkpoint has one table for both.
    @Test func aHeadThatBecameTheEmbeddingIsNamedOrSaved() throws {
        var checkpoint = try tuned()
        checkpoint.settings["tie_word_embeddings"] = .bool(true)
        checkpoint.tensors["lm_head.weight"] = nil
        #expect(failure { _ = try extract(checkpoint) }.contains("'lm_head'"))
        let found = try extract(checkpoint, rest: .save)
        #expect(found.report.savedModules == ["lm_head"])
        try expectServedAsTuned(found)
    }

    /// Biases of the base that the tuned checkpoint does without, and of the tuned one alone.
    @Test func biasesOfOneSideAreNamedOrSaved() throws {
        var checkpoint = try tuned("Q3")
        checkpoint.settings["model_type"] = .string("llama")
        checkpoint.settings["architectures"] = .array([.string("LlamaForCausalLM")])
        for name in checkpoint.tensors.keys where name.hasSuffix(".bias") {
            checkpoint.tensors[name] = nil
        }
        checkpoint.settings["attention_bias"] = .bool(false)
        #expect(failure { _ = try extract(checkpoint, on: "Q3") }.contains("q_proj.bias' can't"))
        try expectServedAsTuned(extract(checkpoint, on: "Q3", rest: .save))
        var biased = try tuned()
        biased.settings["attention_bias"] = .bool(true)
        for layer in 0..<3 {
            for (module, count) in [("q", 32), ("k", 16), ("v", 16), ("o", 32)] {
                biased.tensors["model.layers.\(layer).self_attn.\(module)_proj.bias"] = (
                    [count], Checkpoint.noise(module, count)
                )
            }
        }
        #expect(failure { _ = try extract(biased, rest: .save) }.contains("it has a bias in"))
    }

    @Test func anIdenticalCheckpointHasNothingToExtract() throws {
        let checkpoint = try Checkpoint(base: "L3")
        let failure = failure { _ = try extract(checkpoint, rest: .save) }
        #expect(failure.contains("none of the targeted layers differs"))
    }

    @Test func constantsThatNoAdapterHoldsAreNamed() throws {
        var checkpoint = try tuned()
        checkpoint.settings["rms_norm_eps"] = .number(1e-3)
        #expect(failure { _ = try extract(checkpoint, rest: .save) }.contains("'rms_norm_eps'"))
        var longer = try tuned()
        longer.settings["eos_token_id"] = .integer(7)
        longer.settings["max_position_embeddings"] = .integer(128)
        #expect(
            try extract(longer).report.notes == [
                "config.json differs in eos_token_id, max_position_embeddings, which an adapter doesn't "
                    + "carry"
            ])
    }

    /// llama.cpp's file of the base itself, with its rows of Q and K in another order.
    @Test func aGGUFOfTheSameWeightsDiffersInNothing() throws {
        let base = try GoldenTests.base("tiny-llama")
        let tuned = try GoldenTests.base("gguf/tiny-llama-F32.gguf")
        let failure = failure {
            _ = try LoRAExtraction(
                base: base, tuned: tuned, options: ExtractionOptions(rank: .fixed(1)),
                pool: GoldenTests.pool
            ).write(to: directory.path + "/same")
        }
        #expect(failure.contains("none of the targeted layers differs"))
    }

    /// The base as llama.cpp's file, tuned by other software; and the other way round.
    @Test func eitherCheckpointMayBeAGGUF() throws {
        let found = try extract(tuned(), on: "L3g")
        try expectServedAsTuned(found)
        #expect(found.report.kinds.map(\.name).count == Set(found.report.kinds.map(\.name)).count)

        let folder = directory.path + "/base"
        try tuned().write(to: folder)
        let base = try BaseModel.open(path: folder, pool: GoldenTests.pool, keyValueType: .f32)
        let gguf = try SituationTests.base("L3g")
        let out = directory.path + "/out"
        let report = try LoRAExtraction(
            base: base, tuned: gguf, options: ExtractionOptions(rank: .fixed(3)),
            pool: GoldenTests.pool
        ).write(to: out)
        #expect(report.share > 0.9999)
        let adapter = try AdapterReader.read(
            name: "a", path: out, slots: base.slots, base: base, pool: GoldenTests.pool)
        let expected = try logprobs(SituationTests.base("L3"))
        for other in [try logprobs(gguf), try logprobs(base, adapter)] {
            #expect(zip(expected, other).allSatisfy { abs($0 - $1) < 1e-3 })
        }
    }

    /// Rounded to bf16, and in two files.
    @Test func otherFormsOfTheTunedCheckpointAreRead() throws {
        var checkpoint = try tuned()
        checkpoint.fileCount = 2
        let found = try extract(checkpoint)
        try expectServedAsTuned(found)
        #expect(found.report.kinds.map(\.name).count == Set(found.report.kinds.map(\.name)).count)
        checkpoint.fileCount = 1
        checkpoint.type = .bf16
        let rounded = try extract(checkpoint, rank: 32, rest: .save)
        // The tuned checkpoint in f32 arithmetic, whatever the processor does with bf16.
        checkpoint.type = .f32
        for (name, tensor) in checkpoint.tensors {
            let values = tensor.values.map {
                Float(bitPattern: UInt32(HalfPrecision.bf16($0)) << 16)
            }
            checkpoint.tensors[name] = (tensor.shape, values)
        }
        let expected = try logprobs(extract(checkpoint, rank: 32, rest: .save).tuned)
        let served = try logprobs(rounded.base, rounded.adapter)
        #expect(zip(expected, served).allSatisfy { abs($0 - $1) < 1e-3 })
    }
}
