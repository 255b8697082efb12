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

    /// - Parameter keyValueType: f32, so that results are as close to references in f32 as the
    ///   weights allow; nil: what the base is served with.
    static func base(_ name: String, keyValueType: KeyValueType? = .f32) throws -> BaseModel {
        let key = "\(name), \(keyValueType?.rawValue ?? "as served")"
        if let base = bases.withLock({ $0[key] }) { return base }
        let base = try BaseModel.open(
            path: Checkout.model(name), pool: pool, keyValueType: keyValueType)
        bases.withLock { $0[key] = base }
        return base
    }

    static func operators(_ name: String, on base: BaseModel) throws -> AdapterOperators {
        try AdapterReader.read(
            name: name, path: Checkout.adapter(name), slots: base.slots, base: base, pool: pool
        ).operators
    }

    private func runner(
        _ golden: GoldenCase, keyValueType: KeyValueType = .f32
    ) throws -> SequenceRunner {
        let base = try Self.base(golden.base, keyValueType: keyValueType)
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
            #expect(found.allSatisfy { $0.isFinite })
            if golden.hasBlocks {
                try expectRounded(found, expected, golden, prompt: index)
                continue
            }
            let largest = Self.largestDifference(found, expected)
            #expect(
                largest <= golden.tolerance, "\(golden.id), prompt \(index): \(largest)")
        }
    }

    /// Keys and values in bf16 move results by no more than the reference's own run in bf16 moves
    /// them, which keeps its keys and values so.
    @Test(arguments: GoldenCase.all.filter { $0.referenceDistance != nil })
    func keysAndValuesInBF16StayAsNearAsTheReferenceInBF16(golden: GoldenCase) throws {
        let runner = try runner(golden, keyValueType: .bf16)
        let limit = max(2e-3, 1.5 * Float(try #require(golden.referenceDistance)))
        var isMoved = false
        for (index, prompt) in golden.prompts.enumerated() {
            let expected = SequenceRunner.logprobs(
                try golden.logits(prompt: index),
                vocabularyCount: runner.base.configuration.vocabularyCount)
            let found = runner.logprobs(prompt)
            let largest = Self.largestDifference(found, expected)
            #expect(largest <= limit, "\(golden.id), prompt \(index): \(largest)")
            isMoved = try isMoved || found != self.runner(golden).logprobs(prompt)
        }
        #expect(isMoved, "\(golden.id): keys and values were not rounded")
    }

    private static func largestDifference(
        _ found: some Sequence<Float>, _ expected: some Sequence<Float>
    ) -> Float {
        zip(found, expected).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
    }

    /// With rows rounded to bytes, an input half way between two levels falls to either side by a
    /// difference of one bit, and then moves its position's logits by about what rounding itself
    /// does (transformers in f32 and in f64 differ so as well). So positions agree
    /// closely until then, and none is further off than rounding moves the prompt's logits.
    private func expectRounded(
        _ found: [Float], _ expected: [Float], _ golden: GoldenCase, prompt: Int
    ) throws {
        let width = try Self.base(golden.base).configuration.vocabularyCount
        let exact = SequenceRunner.logprobs(
            try golden.exactLogits(prompt: prompt), vocabularyCount: width)
        let moved = Self.largestDifference(expected, exact)
        #expect(moved > 0.01)
        let differences = stride(from: 0, to: found.count, by: width).map {
            Self.largestDifference(found[$0..<$0 + width], expected[$0..<$0 + width])
        }
        #expect(differences.allSatisfy { $0 <= moved }, "\(golden.id): \(differences)")
        let closeCount = differences.count { $0 <= 2e-3 }
        #expect(closeCount * 5 >= differences.count, "\(golden.id): \(differences)")
    }

    @Test(arguments: GoldenCase.all)
    func greedyTokensAgreeWhereTheReferenceIsSure(golden: GoldenCase) throws {
        let runner = try runner(golden)
        // Rounding may move both candidates by the tolerance.
        let margin = golden.hasBlocks ? 1 : golden.referenceDistance.map { 2 * $0 } ?? 1e-3
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
            let error = #expect(throws: MergeError.self) {
                try operators.merged(name: "x", into: base, weight: 1, pool: Self.pool)
            }
            #expect(error?.description.contains("no change of weights") == true)
            return
        }
        let merged = try operators.merged(name: "x", into: base, weight: 1, pool: Self.pool)
        guard !golden.hasBlocks else { return try expectExact(golden, merged: merged, base) }
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

    /// What is merged into blocks is f32, and takes rows as they are.
    private func expectExact(
        _ golden: GoldenCase, merged: AdapterOperators, _ base: BaseModel
    ) throws {
        var merged = merged
        for slot in base.slots.linearSlots where merged.linear[slot] == nil {
            let plain = try base.merged(at: slot, with: [], pool: Self.pool)
            merged.linear[slot] = [
                .replacement(
                    PackedMatrix(
                        packing: WeightMatrix(
                            pointer: UnsafeRawPointer(plain.matrix.pointer), type: .f32,
                            outputCount: plain.shape.outputCount,
                            inputCount: plain.shape.inputCount), pool: Self.pool),
                    bias: plain.bias)
            ]
        }
        let plan = try AdapterPlan(
            [SelectedOperators(name: "x", operators: merged, weight: 1)], slots: base.slots)
        let runner = SequenceRunner(base: base, plan: plan, pool: Self.pool)
        let found = runner.logprobs(golden.prompts[2])
        let expected = SequenceRunner.logprobs(
            try golden.exactLogits(prompt: 2),
            vocabularyCount: base.configuration.vocabularyCount)
        #expect(Self.largestDifference(found, expected) <= 2e-3, "\(golden.id)")
    }

    /// 48 greedy tokens for each of five prompts; runs where `tools/fetch_model.sh` has fetched the
    /// model.
    @Test(.enabled(if: Checkout.smolLM2 != nil, "SmolLM2 is not in the cache"))
    func smolLM2AgreesWithTransformers() throws {
        let text = try [UInt8](
            Data(contentsOf: URL(fileURLWithPath: Checkout.path("Tests/Goldens/smollm2.json"))))
        let prompts = try JSONValue(parsing: text).objectValue?["prompts"]?.arrayValue ?? []
        #expect(prompts.count == 5)
        let base = try BaseModel.open(path: try #require(Checkout.smolLM2), pool: Self.pool)
        let runner = SequenceRunner(base: base, plan: .base(base.slots), pool: Self.pool)
        var comparedCount = 0
        for entry in prompts {
            let tokens = GoldenCase.integers(entry.objectValue?["tokens"] ?? .null)
            let greedy = entry.objectValue?["greedy"]?.objectValue
            let expected = GoldenCase.integers(greedy?["tokens"] ?? .null)
            let margins = greedy?["margins"]?.arrayValue?.compactMap(\.doubleValue) ?? []
            #expect(expected.count == 48)
            // Each token after the reference's own tokens before it, where the reference is surer
            // than rounding the rows to bytes moves its logits.
            let width = base.configuration.vocabularyCount
            let logits = runner.logits(tokens + expected.dropLast())
            for index in expected.indices where margins[index] > 0.3 {
                let row = (tokens.count - 1 + index) * width
                let found = (0..<width).max { logits[row + $0] < logits[row + $1] }
                #expect(found.map(Int32.init) == expected[index], "token \(index)")
                comparedCount += 1
            }
        }
        #expect(comparedCount >= 150)
    }
}
