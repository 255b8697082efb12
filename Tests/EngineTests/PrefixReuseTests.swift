import Dispatch
import Engine
import Testing
import Transformer

/// What comes from the cache is what would have been computed, bit for bit.
@Suite struct PrefixReuseTests {
    private static let pageByteCount = KeyValuePagePool.pageByteCount(
        layerCount: 2, shape: TinyBase.model.attentionShape)

    private func engine(caching: Bool, pageCount: Int = 512) -> GenerationEngine {
        GenerationEngine(
            base: TinyBase.model, pool: TinyBase.pool,
            configuration: EngineConfiguration(
                prefillChunk: 24, draftTokenCount: 0, maximumSequenceCount: 8,
                keyValueByteCount: pageCount * Self.pageByteCount, usesPrefixCache: caching))
    }

    /// Twenty prompts that share beginnings of up to 70 tokens, under all selections.
    private func requests() throws -> [(tokens: [Int32], plan: Int, sampling: SamplingParameters)] {
        try (0..<20).map { index in
            var random = RandomSource(seed: UInt64(index))
            let common = (0..<70).map { Int32($0 * 7 % 96) }.prefix(20 + index * 17 % 51)
            let own = (0..<index % 4 * 3 + 1).map { _ in Int32(random.next() % 96) }
            let sampling =
                index.isMultiple(of: 2)
                ? SamplingParameters.greedy
                : try SamplingParameters(
                    temperature: 0.8, topP: 0.95, seed: UInt64(index), repetitionPenalty: 1.2,
                    presencePenalty: 0.2, frequencyPenalty: 0.1)
            return (common + own, index % TinyBase.plans.count, sampling)
        }
    }

    /// The tokens of each request with their log-probabilities.
    private func answers(
        _ engine: GenerationEngine, key: String? = nil
    ) async throws -> [[GeneratedToken]] {
        let gate = try GateSink.hold(engine)
        var sinks: [RecordingSink] = []
        for (tokens, plan, sampling) in try requests() {
            sinks.append(RecordingSink())
            try engine.submit(
                GenerationRequest(
                    tokens: tokens, lease: CountingLease(TinyBase.plans[plan], key: key),
                    sampling: sampling, maximumNewTokenCount: 24, logprobCount: 4,
                    sink: sinks[sinks.count - 1]))
        }
        gate.open()
        var answers: [[GeneratedToken]] = []
        for sink in sinks { answers.append(RecordingSink.tokens(await sink.wait())) }
        return answers
    }

    @Test func answersAreTheSameWithAndWithoutTheCache() async throws {
        let plain = engine(caching: false)
        let expected = try await answers(plain)
        #expect(plain.statistics().cachedTokenCount == 0)
        #expect(plain.statistics().cachedPageCount == 0)
        let engine = engine(caching: true)
        for _ in 0..<2 { #expect(try await answers(engine) == expected) }
        await engine.drain()
        let statistics = engine.statistics()
        #expect(statistics.cachedTokenCount > 800)
        #expect(statistics.cachedPageCount > 0 && statistics.usedPageCount == 0)
        #expect(
            statistics.cachedTokenCount + statistics.computedPromptTokenCount
                == statistics.promptTokenCount)
    }

    @Test func answersAreTheSameUnderEvictionAndPreemption() async throws {
        let expected = try await answers(engine(caching: false))
        let engine = engine(caching: true, pageCount: 16)
        for _ in 0..<2 { #expect(try await answers(engine) == expected) }
        await engine.drain()
        #expect(engine.statistics().preemptionCount > 0)
        #expect(engine.statistics().evictedPageCount > 0)
        #expect(engine.statistics().usedPageCount == 0)
    }

    /// The comparison can fail: one key for different selections mixes them up.
    @Test func aKeyThatStandsForTwoSelectionsChangesAnswers() async throws {
        let expected = try await answers(engine(caching: false))
        #expect(try await answers(engine(caching: true), key: "one for all") != expected)
    }

    private func summary(
        _ engine: GenerationEngine, _ tokens: [Int32], promptLogprobCount: Int? = nil
    ) async throws -> (tokens: [Int32], cachedTokenCount: Int?) {
        let sink = RecordingSink()
        try engine.submit(
            GenerationRequest(
                tokens: tokens, lease: CountingLease(TinyBase.plans[1]), maximumNewTokenCount: 20,
                promptLogprobCount: promptLogprobCount, sink: sink))
        let events = await sink.wait()
        return (
            RecordingSink.tokens(events).map(\.token),
            RecordingSink.summary(events)?.cachedTokenCount
        )
    }

    @Test func theSummaryTellsWhatWasFound() async throws {
        let engine = engine(caching: true)
        let prompt = (0..<48).map { Int32($0) }
        let first = try await summary(engine, prompt)
        #expect(first.cachedTokenCount == 0)
        // The last token of the third page has to be computed.
        #expect(try await summary(engine, prompt).cachedTokenCount == 32)
        // A next turn finds the answer's pages as well: 48 + 19 computed tokens are 4 pages.
        #expect(try await summary(engine, prompt + first.tokens + [5]).cachedTokenCount == 64)
        #expect(try await summary(engine, prompt, promptLogprobCount: 0).cachedTokenCount == 0)
    }

    @Test func aCancelledRequestLeavesWhatOthersShare() async throws {
        let prompt = (0..<64).map { Int32($0) }
        let expected = try await summary(engine(caching: false), prompt).tokens
        let engine = engine(caching: true)
        let gate = DispatchSemaphore(value: 0)
        let held = RecordingSink(gate: gate)
        let handle = try engine.submit(
            GenerationRequest(
                tokens: prompt, lease: CountingLease(TinyBase.plans[1]),
                maximumNewTokenCount: 150, sink: held))
        while held.events.isEmpty { await Task.yield() }
        async let shared = summary(engine, prompt)
        engine.cancel(handle)
        gate.signal()
        #expect(RecordingSink.summary(await held.wait())?.reason == .cancelled)
        #expect(try await shared.tokens == expected)
        #expect(try await shared.cachedTokenCount == 48)
        await engine.drain()
        #expect(engine.statistics().usedPageCount == 0)
    }
}
