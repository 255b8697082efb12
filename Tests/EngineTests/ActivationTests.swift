import Adapters
import Engine
import Testing
import Transformer

/// Requests whose adapter acts from some token of the prompt on.
@Suite struct ActivationTests {
    private static let invocation: [Int32] = [90, 91, 92]
    private static let pageByteCount = KeyValuePagePool.pageByteCount(
        layerCount: 2, shape: TinyBase.model.attentionShape)

    private func engine(
        caching: Bool = true, chunk: Int = 64, pageCount: Int = 512
    ) -> GenerationEngine {
        GenerationEngine(
            base: TinyBase.model, pool: TinyBase.pool,
            configuration: EngineConfiguration(
                maximumRowCount: 200, prefillChunk: chunk, draftTokenCount: 0,
                maximumSequenceCount: 8,
                keyValueByteCount: pageCount * Self.pageByteCount, usesPrefixCache: caching))
    }

    private func activated(_ plan: Int) -> CountingLease {
        CountingLease(
            TinyBase.plans[plan],
            activation: PlanActivation(
                tokens: ActivationTokens(Self.invocation), earlierPlan: TinyBase.plans[0],
                earlierKey: CountingLease(TinyBase.plans[0]).key))
    }

    private let before = (0..<40).map { Int32($0) }
    private var prompt: [Int32] { before + Self.invocation + [5, 6, 7] }

    private struct Answer: Equatable {
        var tokens: [GeneratedToken]
        var prompt: [TokenLogprobs?]
        var cachedTokenCount: Int?
    }

    private func answer(
        _ engine: GenerationEngine, _ tokens: [Int32], _ lease: CountingLease, scoring: Bool = false
    ) async throws -> Answer {
        let sink = RecordingSink()
        try engine.submit(
            GenerationRequest(
                tokens: tokens, lease: lease, maximumNewTokenCount: 20, logprobCount: 3,
                promptLogprobCount: scoring ? 3 : nil, sink: sink))
        let events = await sink.wait()
        let scores = events.lazy.compactMap {
            if case .promptLogprobs(let scores) = $0 { scores } else { nil }
        }
        return Answer(
            tokens: RecordingSink.tokens(events), prompt: scores.first ?? [],
            cachedTokenCount: RecordingSink.summary(events)?.cachedTokenCount)
    }

    @Test func theBaseAnswersUpToTheInvocationAndTheAdapterFromThere() async throws {
        let engine = engine(caching: false)
        let found = try await answer(engine, prompt, activated(3), scoring: true)
        let base = try await answer(engine, prompt, CountingLease(TinyBase.plans[0]), scoring: true)
        let whole = try await answer(
            engine, prompt, CountingLease(TinyBase.plans[3]), scoring: true)
        // The score of the first invocation token comes from the row before it.
        #expect(found.prompt[...40] == base.prompt[...40])
        #expect(found.prompt[41...] != base.prompt[41...])
        #expect(found.prompt[1...40] != whole.prompt[1...40])
        #expect(found.tokens != base.tokens)
    }

    @Test func withoutItsInvocationTheBaseAnswers() async throws {
        let engine = engine()
        for tokens in [before, before + Self.invocation.dropLast()] {
            let found = try await answer(engine, tokens, activated(3), scoring: true)
            let base = try await answer(
                engine, tokens, CountingLease(TinyBase.plans[0]), scoring: true)
            #expect(found.tokens == base.tokens)
            #expect(found.prompt == base.prompt)
        }
    }

    @Test func atTheBeginningItIsTheAdapterAlone() async throws {
        let engine = engine()
        let tokens = Self.invocation + before
        let found = try await answer(engine, tokens, activated(2))
        let whole = try await answer(engine, tokens, CountingLease(TinyBase.plans[2]))
        #expect(found.tokens == whole.tokens)
    }

    @Test func pagesBeforeTheInvocationAreTheBases() async throws {
        let engine = engine()
        let expected = try await answer(self.engine(caching: false), prompt, activated(3))
        _ = try await answer(engine, prompt, CountingLease(TinyBase.plans[0]))
        let found = try await answer(engine, prompt, activated(3))
        #expect(found.cachedTokenCount == 32)
        #expect(found.tokens == expected.tokens)
        // Another adapter finds them too; the page of the invocation is each one's own.
        #expect(try await answer(engine, prompt, activated(2)).cachedTokenCount == 32)
        // The next turn goes on behind the answer: 46 + 19 computed tokens are 4 pages.
        let next = prompt + found.tokens.map(\.token) + [8]
        #expect(try await answer(engine, next, activated(3)).cachedTokenCount == 64)
        #expect(
            try await answer(engine, next, CountingLease(TinyBase.plans[1])).cachedTokenCount == 0)
        // What the adapter computed is never the base's: of 'next' it has its own 'prompt' only.
        let base = try await answer(engine, next, CountingLease(TinyBase.plans[0]))
        #expect(base.cachedTokenCount == 32)
        #expect(
            try await answer(self.engine(caching: false), next, CountingLease(TinyBase.plans[0]))
                .tokens == base.tokens)
    }

    /// The first token of an invocation at an odd place shares words with the one before, which is
    /// in another slice of the step, and so another thread's.
    @Test func promptsOfOneStepKeepTheirBitsInBF16() async throws {
        let prompts = (0..<6).map { index in
            (0..<Int32(5 + 2 * index)).map { $0 * 3 + Int32(index) } + Self.invocation + [5, 6, 7]
        }
        func scores(_ indices: [Int]) async throws -> [[GenerationEvent]] {
            let engine = GenerationEngine(
                base: TinyBase.halfModel, pool: TinyBase.pool,
                configuration: EngineConfiguration(draftTokenCount: 0, usesPrefixCache: false))
            let gate = try GateSink.hold(engine)
            let sinks = try indices.map { index in
                let sink = RecordingSink()
                try engine.submit(
                    GenerationRequest(
                        tokens: prompts[index], lease: activated(1 + index % 3),
                        maximumNewTokenCount: 2, logprobCount: 3, sink: sink))
                return sink
            }
            gate.open()
            var events: [[GenerationEvent]] = []
            for sink in sinks { events.append(await sink.wait().dropLast()) }
            await engine.drain()
            return events
        }
        var alone: [[GenerationEvent]] = []
        for index in prompts.indices { alone += try await scores([index]) }
        for _ in 0..<100 {
            let together = try await scores(Array(prompts.indices))
            #expect(together == alone)
        }
    }

    @Test func anAnswerIsTheSameInAnyBatchChunkOrCache() async throws {
        let prompts = [
            prompt, before + before + Self.invocation, Array(prompt.dropFirst(30)) + before,
            prompt + prompt, Self.invocation + [4], before, [1] + Self.invocation,
        ]
        var expected: [[GeneratedToken]] = []
        for (index, tokens) in prompts.enumerated() {
            expected.append(
                try await answer(engine(caching: false), tokens, activated(1 + index % 3)).tokens)
        }
        for (caching, chunk, pageCount) in [
            (false, 64, 512), (true, 64, 512), (true, 1, 512), (true, 7, 512), (true, 24, 16),
        ] {
            let engine = engine(caching: caching, chunk: chunk, pageCount: pageCount)
            for _ in 0..<2 {
                let gate = try GateSink.hold(engine)
                var sinks: [RecordingSink] = []
                for (index, tokens) in prompts.enumerated() {
                    for lease in [activated(1 + index % 3), CountingLease(TinyBase.plans[0])] {
                        sinks.append(RecordingSink())
                        try engine.submit(
                            GenerationRequest(
                                tokens: tokens, lease: lease, maximumNewTokenCount: 20,
                                logprobCount: 3, sink: sinks[sinks.count - 1]))
                    }
                }
                gate.open()
                for (index, sink) in sinks.enumerated() {
                    let tokens = RecordingSink.tokens(await sink.wait())
                    guard index.isMultiple(of: 2) else { continue }
                    #expect(tokens == expected[index / 2], "\(caching), \(chunk), \(pageCount)")
                }
            }
            await engine.drain()
            #expect(engine.statistics().usedPageCount == 0)
            if pageCount == 16 { #expect(engine.statistics().preemptionCount > 0) }
        }
    }
}
