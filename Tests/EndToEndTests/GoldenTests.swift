import Adapters
import Foundation
import Kernels
import StrictJSON
import Synchronization
import Testing
import Transformer

/// The forward pass with adapters against transformers and PEFT.
struct GoldenTests {
    static let pool = WorkerPool(threadCount: 2)
    private static let bases = Mutex<[String: BaseModel]>([:])

    static func base(_ name: String) throws -> BaseModel {
        if let base = bases.withLock({ $0[name] }) { return base }
        let base = try BaseModel.open(path: Checkout.model(name), pool: pool)
        bases.withLock { $0[name] = base }
        return base
    }

    static func operators(_ name: String, on base: BaseModel) throws -> AdapterOperators {
        try AdapterReader.read(
            name: name, path: Checkout.adapter(name), slots: base.slots, base: base, pool: pool
        ).operators
    }

    private func runner(_ golden: GoldenCase) throws -> SequenceRunner {
        let base = try Self.base(golden.base)
        let parts = try golden.adapters.map {
            SelectedOperators(
                name: $0.name, operators: try Self.operators($0.name, on: base), weight: $0.weight)
        }
        return SequenceRunner(
            base: base, plan: try AdapterPlan(parts, slots: base.slots), pool: Self.pool)
    }

    @Test func theManifestIsThere() {
        #expect(GoldenCase.all.count >= 50)
    }

    @Test(arguments: GoldenCase.all)
    func everyPositionAgreesWithTheReference(golden: GoldenCase) throws {
        let runner = try runner(golden)
        for (index, prompt) in golden.prompts.enumerated() {
            let expected = SequenceRunner.logprobs(
                try golden.logits(prompt: index),
                vocabularyCount: runner.base.configuration.vocabularyCount)
            let found = runner.logprobs(prompt)
            #expect(found.count == expected.count)
            let largest = zip(found, expected).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
            #expect(
                largest <= golden.tolerance, "\(golden.id), prompt \(index): \(largest)")
            #expect(found.allSatisfy { $0.isFinite })
        }
    }

    @Test(arguments: GoldenCase.all)
    func greedyTokensAgreeWhereTheReferenceIsSure(golden: GoldenCase) throws {
        let runner = try runner(golden)
        // A bf16 base may differ by its tolerance in both candidates.
        let margin = golden.referenceDistance.map { 2 * $0 } ?? 1e-3
        for (prompt, reference) in zip(golden.prompts, golden.greedy) {
            let found = runner.greedy(after: prompt, count: reference.tokens.count)
            for (index, token) in reference.tokens.enumerated() {
                if reference.margins[index] <= margin { break }
                #expect(found[index] == token, "\(golden.id), token \(index)")
            }
        }
    }

    @Test func anotherAdapterWouldFail() throws {
        // The comparison above can fail: 'medicine' is not 'law'.
        let golden = try #require(GoldenCase.all.first { $0.id == "tiny-llama/law@1" })
        let base = try Self.base(golden.base)
        let other = SelectedOperators(
            name: "medicine", operators: try Self.operators("medicine", on: base), weight: 1)
        let runner = SequenceRunner(
            base: base, plan: try AdapterPlan([other], slots: base.slots), pool: Self.pool)
        let expected = SequenceRunner.logprobs(
            try golden.logits(prompt: 1), vocabularyCount: base.configuration.vocabularyCount)
        let found = runner.logprobs(golden.prompts[1])
        #expect(zip(found, expected).contains { abs($0 - $1) > 0.1 })
    }

    @Test(arguments: [
        "tiny-llama/law@1", "tiny-llama-bf16/wide-llama3@1", "tiny-llama/law@1+prefix@1",
    ])
    func chunksChangeNoBit(id: String) throws {
        let golden = try #require(GoldenCase.all.first { $0.id == id })
        var runner = try runner(golden)
        let prompt = golden.prompts[2]
        let whole = runner.logits(prompt)
        for chunk in [1, 7, 16] {
            runner.chunk = chunk
            #expect(runner.logits(prompt) == whole)
        }
    }

    @Test(arguments: GoldenCase.all.filter { $0.adapters.count == 1 && $0.adapters[0].weight == 1 })
    func mergingEqualsAttaching(golden: GoldenCase) throws {
        let base = try Self.base(golden.base)
        let operators = try Self.operators(golden.adapters[0].name, on: base)
        guard operators.isWeightSpace else {
            #expect(throws: MergeError.notWeightSpace(adapter: "x")) {
                try operators.merged(name: "x", into: base, weight: 1, pool: Self.pool)
            }
            return
        }
        let merged = try operators.merged(name: "x", into: base, weight: 1, pool: Self.pool)
        let plans = try [operators, merged].map {
            try AdapterPlan(
                [SelectedOperators(name: "x", operators: $0, weight: 1)], slots: base.slots)
        }
        let logprobs = plans.map {
            SequenceRunner(base: base, plan: $0, pool: Self.pool).logprobs(golden.prompts[2])
        }
        let largest = zip(logprobs[0], logprobs[1]).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        // Merged weights round to the base's type: 2⁻⁹ and 2⁻¹² of each weight.
        let limit: Float =
            switch base.weightType {
            case .bf16: 1
            case .f16: 0.1
            default: 2e-3
            }
        #expect(largest <= limit, "\(golden.id): \(largest)")
    }

    /// 48 greedy tokens for five prompts; runs where `tools/fetch_model.sh` has fetched the model.
    @Test(.enabled(if: Checkout.smolLM2 != nil, "SmolLM2 is not in the cache"))
    func smolLM2AgreesWithTransformers() throws {
        let text = try [UInt8](
            Data(contentsOf: URL(fileURLWithPath: Checkout.path("Tests/Goldens/smollm2.json"))))
        let prompts = try JSONValue(parsing: text).objectValue?["prompts"]?.arrayValue ?? []
        #expect(prompts.count == 5)
        let base = try BaseModel.open(path: try #require(Checkout.smolLM2), pool: Self.pool)
        let runner = SequenceRunner(base: base, plan: .base(base.slots), pool: Self.pool)
        for entry in prompts {
            let tokens = GoldenCase.integers(entry.objectValue?["tokens"] ?? .null)
            let greedy = entry.objectValue?["greedy"]?.objectValue
            let expected = GoldenCase.integers(greedy?["tokens"] ?? .null)
            let margins = greedy?["margins"]?.arrayValue?.compactMap(\.doubleValue) ?? []
            #expect(expected.count == 48)
            let found = runner.greedy(after: tokens, count: expected.count)
            for index in expected.indices {
                if margins[index] <= 1e-3 { break }
                #expect(found[index] == expected[index], "token \(index)")
            }
        }
    }
}
