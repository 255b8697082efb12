import Adapters
import Testing
import Transformer

/// Adapters whose effect on a token depends on the token, or on others with it.
struct MixtureGoldenTests {
    private static let methods: Set<String> = ["ARROW", "LILY", "SHADOW", "XLORA"]
    private static let all = MethodCase.all.filter { golden in
        (try? golden.peftType()).map { methods.contains($0) } ?? false
    }
    private static let calls = all.filter { $0.id.contains("/lily/") }
    private static let companions = all.filter {
        $0.id.contains("/xlora/") || $0.id.contains("/shadow/")
    }

    private func read(_ golden: MethodCase) throws -> AdapterOperators {
        let base = try GoldenTests.base(golden.base)
        return try AdapterReader.read(
            name: "mix", path: golden.path(golden.adapters[0].name), slots: base.slots, base: base,
            pool: GoldenTests.pool
        ).operators
    }

    private func runner(_ golden: MethodCase) throws -> SequenceRunner {
        let base = try GoldenTests.base(golden.base)
        let part = SelectedOperators(name: "mix", operators: try read(golden), weight: 1)
        return SequenceRunner(
            base: base, plan: try AdapterPlan([part], slots: base.slots), pool: GoldenTests.pool)
    }

    private let prompt = (0..<70).map { Int32(($0 * 37 + 5) % 250 + 3) }

    @Test func allMethodsHaveCases() {
        #expect(Self.all.count >= 9)
        #expect(Self.calls.count == 2 && Self.companions.count == 5)
    }

    @Test(arguments: all.filter { golden in !calls.contains { $0.id == golden.id } })
    func chunksChangeNoBit(golden: MethodCase) throws {
        var runner = try runner(golden)
        let whole = runner.logits(prompt)
        for chunk in [1, 7, 64] {
            runner.chunk = chunk
            #expect(runner.logits(prompt) == whole, "chunks of \(chunk)")
        }
    }

    /// So nothing may cut a prompt of theirs.
    @Test(arguments: calls)
    func chunksOfACallAreOtherCalls(golden: MethodCase) throws {
        var runner = try runner(golden)
        #expect(runner.plan.readsWholeCalls)
        let whole = runner.logits(prompt)
        #expect(runner.logits(prompt) == whole)
        runner.chunk = 35
        #expect(runner.logits(prompt) != whole)
    }

    @Test(arguments: all)
    func mergingIsRefusedWithTheReason(golden: MethodCase) throws {
        let base = try GoldenTests.base(golden.base)
        let operators = try read(golden)
        #expect(!operators.isWeightSpace)
        let error = #expect(throws: MergeError.notWeightSpace(adapter: "mix", .dependsOnRows)) {
            try operators.merged(name: "mix", into: base, weight: 1, pool: GoldenTests.pool)
        }
        #expect(
            error?.description
                == "adapter 'mix' is no change of weights and can't be merged: what it does to a token "
                + "depends on the token, while merged weights would be the same for all; serve it attached"
        )
    }

    @Test(arguments: calls + companions)
    func othersBesideThemAreRefused(golden: MethodCase) throws {
        let base = try GoldenTests.base(golden.base)
        let own = SelectedOperators(name: "mix", operators: try read(golden), weight: 1)
        let other = SelectedOperators(name: "plain", operators: AdapterOperators(), weight: 1)
        for parts in [[own, other], [other, own]] {
            let error = #expect(throws: CombinationError.alone(adapter: "mix", other: "plain")) {
                try AdapterPlan(parts, slots: base.slots)
            }
            #expect(
                error?.description
                    == "adapter 'mix' weighs its parts by what it sees of a sequence, which 'plain' "
                    + "would change: use it alone")
        }
    }

    @Test(arguments: companions)
    func companionsHaveAMeaningAtWeightOne(golden: MethodCase) throws {
        let base = try GoldenTests.base(golden.base)
        let half = SelectedOperators(name: "mix", operators: try read(golden), weight: 0.5)
        #expect(throws: CombinationError.weightOfBottleneck(adapter: "mix", weight: 0.5)) {
            try AdapterPlan([half], slots: base.slots)
        }
    }

    /// Arrow's routing depends on each row alone, so that its update is one of several.
    @Test func routedExpertsAddUpWithOtherAdapters() throws {
        let golden = try #require(Self.all.first { $0.id == "methods/arrow/llama" })
        let base = try GoldenTests.base(golden.base)
        let operators = try read(golden)
        func logits(_ weights: [Float]) throws -> [Float] {
            let parts = weights.map {
                SelectedOperators(name: "mix\($0)", operators: operators, weight: $0)
            }
            return SequenceRunner(
                base: base, plan: try AdapterPlan(parts, slots: base.slots),
                pool: GoldenTests.pool
            ).logits(prompt)
        }
        let whole = try logits([1])
        let difference = zip(try logits([0.25, 0.75]), whole).reduce(Float(0)) {
            max($0, abs($1.0 - $1.1))
        }
        #expect(difference < 1e-3)
        #expect(try logits([0.25]) != whole)
    }
}
