import Adapters
import LlamaSlots
import Kernels
import Testing
import Transformer

/// Every method against PEFT or AdapterHub: attached, merged, and refused by name where there is no
/// reader.
struct MethodGoldenTests {
    private static let pool = GoldenTests.pool

    /// Methods, and forms of LoRA, that PEFT saves and that are refused, with a word of the reason.
    private static let refused: [String: String] = [
        "methods/frod/drawn-again": "save_projection"
    ]

    /// True for cases that no reader takes yet, whatever its method.
    static func isRefused(_ golden: MethodCase) -> Bool { refused[golden.id] != nil }

    private func operators(_ golden: MethodCase) throws -> [SelectedOperators] {
        try golden.loadedAdapters().map {
            SelectedOperators(
                name: $0.adapter.name, operators: $0.adapter.operators, weight: $0.weight)
        }
    }

    private func runner(
        _ golden: MethodCase, _ parts: [SelectedOperators]
    ) throws -> SequenceRunner {
        let base = try GoldenTests.base(golden.base)
        return SequenceRunner(
            base: base, plan: try AdapterPlan(parts, slots: base.slots), pool: Self.pool)
    }

    /// False where the case's method has no reader, which the reader has to say.
    func isServed(_ golden: MethodCase) throws -> Bool {
        let base = try GoldenTests.base(golden.base)
        let reason = Self.refused[golden.id]
        let type = try golden.peftType()
        if reason == nil, AdapterReader.supportedMethods.contains(type) { return true }
        let error = #expect(throws: AdapterError.self) {
            try AdapterReader.read(
                name: "a", path: golden.path(golden.adapters[0].name), slots: base.slots,
                base: base, pool: Self.pool)
        }
        #expect(error?.description.contains(reason ?? type) == true, "\(error as Any)")
        return false
    }

    @Test func theManifestIsThere() {
        #expect(MethodCase.all.count >= 186)
        #expect(MethodCase.all.filter { $0.id.hasPrefix("adapterhub/") }.count == 25)
        #expect(MethodCase.all.filter { $0.id.hasPrefix("formats/") }.count == 9)
    }

    @Test(arguments: MethodCase.all)
    func everyPositionAgreesWithPEFT(golden: MethodCase) throws {
        guard try isServed(golden) else { return }
        let runner = try runner(golden, try operators(golden))
        for (index, prompt) in golden.prompts.enumerated() {
            let difference = try runner.difference(
                after: prompt, to: golden.logits(prompt: index))
            #expect(difference <= golden.tolerance, "\(golden.id), prompt \(index): \(difference)")
        }
    }

    /// Rows without logits leave the last layer early; those that have some are the same bit for
    /// bit.
    @Test(arguments: MethodCase.all)
    func rowsThatGetLogitsAreTheSameWithoutTheOthers(golden: MethodCase) throws {
        guard try isServed(golden) else { return }
        let runner = try runner(golden, try operators(golden))
        for prompt in golden.prompts {
            let all = runner.logits(prompt)
            for count in [1, min(3, prompt.count)] {
                let last = runner.lastLogits(count, of: prompt)
                #expect(last == all.suffix(last.count), "\(golden.id), last \(count)")
                #expect(last.count == count * runner.plan.vocabularyCount)
            }
        }
    }

    @Test(arguments: MethodCase.all)
    func aLiveMergeAgreesWithPEFT(golden: MethodCase) throws {
        guard try isServed(golden) else { return }
        let base = try GoldenTests.base(golden.base)
        let parts = try operators(golden)
        guard golden.merges else { return }
        let merged = try parts.map {
            SelectedOperators(
                name: $0.name,
                operators: try $0.operators.merged(
                    name: $0.name, into: base, weight: $0.weight, pool: Self.pool), weight: 1)
        }
        let runner = try runner(golden, merged)
        // Merged weights are rounded to the base's type.
        let isNarrow = base.matrix(at: .layer(0, .query)).type != .f32
        let tolerance = isNarrow ? max(1, golden.tolerance) : golden.tolerance
        for (index, prompt) in golden.prompts.enumerated() {
            let difference = try runner.difference(
                after: prompt, to: golden.logits(prompt: index))
            #expect(difference <= tolerance, "\(golden.id), prompt \(index): \(difference)")
        }
    }

    @Test(arguments: MethodCase.all)
    func greedyTokensAgreeWhereTheReferenceIsSure(golden: MethodCase) throws {
        guard try isServed(golden) else { return }
        let runner = try runner(golden, try operators(golden))
        for (prompt, reference) in zip(golden.prompts, golden.greedy) {
            let found = runner.greedy(after: prompt, count: reference.tokens.count)
            for (index, token) in reference.tokens.enumerated() {
                if reference.margins[index] <= Double(2 * golden.tolerance) { break }
                #expect(found[index] == token, "\(golden.id), token \(index)")
            }
        }
    }
}
