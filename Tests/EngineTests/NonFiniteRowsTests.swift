import Engine
import Kernels
import Synchronization
import Testing
import Transformer

/// Rows that explode within a sequence: which of them did must not depend on chunks and guesses.
@Suite struct NonFiniteRowsTests {
    /// An adapter under which token 95 makes its row infinite.
    private static func exploding() throws -> AdapterPlan {
        var operators = AdapterOperators()
        operators.embedding = [
            .rows(
                tokens: [95],
                differences: [Float](repeating: .infinity, count: TinyBase.hiddenSize))
        ]
        return try AdapterPlan(
            [SelectedOperators(name: "a", operators: operators, weight: 1)],
            slots: TinyBase.model.slots)
    }

    private func rows(_ tokens: [Int32], under plan: AdapterPlan) -> [[Float]] {
        let pages = KeyValuePagePool(
            pageCount: 4, layerCount: 2, shape: TinyBase.model.attentionShape)
        let forward = ForwardPass(
            base: TinyBase.model, pages: pages, pool: TinyBase.pool, maximumRowCount: 64,
            maximumLogitsRowCount: 64)
        let logits = forward.step([
            StepSlice(
                plan: plan, tokens: tokens, cachedTokenCount: 0,
                pages: (0..<4).map { _ in pages.allocate() ?? 0 }, firstLogitsRow: 0)
        ])
        return (0..<logits.rowCount).map { Array(logits.row($0)) }
    }

    @Test func aRowThatExplodesReachesNoRowBefore() throws {
        let plan = try Self.exploding()
        let before = (1..<20).map { Int32($0) }
        let found = rows(before + [95, 4, 5], under: plan)
        #expect(Array(found[..<19]) == rows(before, under: plan))
        #expect(!found[19...].joined().contains { $0.isFinite })
    }

    /// A token that no table has a row for is its own request's affair.
    @Test func aTokenWithoutARowReachesNoRowBefore() {
        let before = (1..<20).map { Int32($0) }
        let found = rows(before + [96, 4], under: TinyBase.plans[0])
        #expect(Array(found[..<19]) == rows(before, under: TinyBase.plans[0]))
        #expect(!found[19...].joined().contains { $0.isFinite })
    }

    @Test func whichTokenFailsDependsOnNoChunk() async throws {
        let plan = try Self.exploding()
        let prompt = (1..<30).map { Int32($0) } + [95] + (30..<40).map { Int32($0) }
        for (chunk, scores) in [(1, true), (7, true), (64, true), (1, false), (64, false)] {
            let engine = GenerationEngine(
                base: TinyBase.model, pool: TinyBase.pool,
                configuration: EngineConfiguration(prefillChunk: chunk))
            let gate = try GateSink.hold(engine)
            let sinks = (0..<2).map { _ in RecordingSink() }
            for (sink, plan) in zip(sinks, [plan, TinyBase.plans[0]]) {
                try engine.submit(
                    GenerationRequest(
                        tokens: prompt, lease: CountingLease(plan), maximumNewTokenCount: 5,
                        promptLogprobCount: scores ? 0 : nil, sink: sink))
            }
            gate.open()
            let position = scores ? 29 : prompt.count - 1
            #expect(
                await sinks[0].wait() == [.failed(.nonFiniteLogits(position: position))],
                "chunks of \(chunk)")
            #expect(RecordingSink.tokens(await sinks[1].wait()).count == 5)
            await engine.drain()
        }
    }

    /// Puts the exploding token in place of guesses that turn out wrong anyway.
    private final class GuessExploder: StepRunner {
        private let forward: ForwardPass
        /// Guesses that were replaced.
        let count: Counter

        final class Counter: Sendable {
            let value = Atomic(0)
        }

        init(_ forward: ForwardPass, _ count: Counter) {
            self.forward = forward
            self.count = count
        }

        func step(_ slices: [StepSlice]) -> StepLogits {
            var logits = forward.step(slices)
            var changed = slices
            var row = 0
            for place in slices.indices {
                let slice = slices[place]
                let first = slice.firstLogitsRow
                if first + 1 < slice.tokens.count {
                    let values = logits.row(row)
                    let next = Vectors.indexOfMaximum(
                        UnsafePointer(values.baseAddress!), count: values.count)
                    if next != Int(slice.tokens[first + 1]) {
                        for guess in first + 1..<slice.tokens.count {
                            changed[place].tokens[guess] = 95
                        }
                        count.value.add(1, ordering: .relaxed)
                    }
                }
                row += slice.logitsRowCount
            }
            logits = forward.step(changed)
            return logits
        }
    }

    @Test func aRejectedGuessThatExplodesChangesNothing() async throws {
        let plan = try Self.exploding()
        let instant = ContinuousClock.now
        let counter = GuessExploder.Counter()
        var answers: [[GeneratedToken]] = []
        for drafts in [0, 4] {
            let engine = GenerationEngine.tiny(
                EngineConfiguration(draftTokenCount: drafts), now: { instant }
            ) { GuessExploder($0, counter) }
            let sink = RecordingSink()
            try engine.submit(
                GenerationRequest(
                    tokens: [5, 6, 7, 5, 6, 7, 5, 6], lease: CountingLease(plan),
                    sampling: try SamplingParameters(temperature: 0, logitBias: [95: -100]),
                    maximumNewTokenCount: 60, logprobCount: 2, sink: sink))
            answers.append(RecordingSink.tokens(await sink.wait()))
            await engine.drain()
        }
        #expect(counter.value.load(ordering: .relaxed) > 0)
        #expect(answers[0].count == 60)
        #expect(answers[1] == answers[0])
    }
}
