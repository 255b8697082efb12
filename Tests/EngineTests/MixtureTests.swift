import Dispatch
import Engine
import Testing
import Transformer

/// Adapters with companions, and adapters that read whole calls: their answers depend on nothing
/// but their own request.
@Suite struct MixtureTests {
    private static let pageByteCount = KeyValuePagePool.pageByteCount(
        layerCount: 2, shape: TinyBase.model.attentionShape)

    private static let plans =
        TinyMixtures.companions + [TinyMixtures.call] + TinyBase.plans.prefix(3)

    private struct Request {
        let tokens: [Int32]
        let plan: AdapterPlan
    }

    /// Prompts with common beginnings, under all plans in turn.
    private func requests(_ plans: [AdapterPlan] = plans) -> [Request] {
        (0..<18).map { index in
            var random = RandomSource(seed: UInt64(index))
            let common = (0..<60).map { Int32($0 * 7 % 96) }.prefix(index * 13 % 51)
            return Request(
                tokens: common + (0...index % 5).map { _ in Int32(random.next() % 96) },
                plan: plans[index % plans.count])
        }
    }

    private func engine(
        caching: Bool = false, chunk: Int = 256, pageCount: Int = 512, rowCount: Int = 512
    ) -> GenerationEngine {
        GenerationEngine(
            base: TinyBase.model, pool: TinyBase.pool,
            configuration: EngineConfiguration(
                maximumRowCount: rowCount, prefillChunk: chunk, draftTokenCount: 0,
                maximumSequenceCount: 8,
                keyValueByteCount: pageCount * Self.pageByteCount, usesPrefixCache: caching))
    }

    private func submit(
        _ request: Request, to engine: GenerationEngine, count: Int = 20, scoring: Bool = false,
        sink: RecordingSink = RecordingSink()
    ) throws -> (handle: RequestHandle, sink: RecordingSink) {
        let handle = try engine.submit(
            GenerationRequest(
                tokens: request.tokens, lease: CountingLease(request.plan),
                maximumNewTokenCount: count, logprobCount: 4,
                promptLogprobCount: scoring ? 2 : nil, sink: sink))
        return (handle, sink)
    }

    /// The tokens of each request with their log-probabilities.
    private func answers(
        _ engine: GenerationEngine, _ requests: [Request]
    ) async throws -> [[GeneratedToken]] {
        let gate = try GateSink.hold(engine)
        let sinks = try requests.map { try submit($0, to: engine).sink }
        gate.open()
        var answers: [[GeneratedToken]] = []
        for sink in sinks { answers.append(RecordingSink.tokens(await sink.wait())) }
        return answers
    }

    private func answersAlone() async throws -> [[GeneratedToken]] {
        var alone: [[GeneratedToken]] = []
        for request in requests() { alone += try await answers(engine(), [request]) }
        return alone
    }

    @Test func anAnswerIsTheSameAloneAndInAnyBatchOrChunk() async throws {
        let alone = try await answersAlone()
        #expect(Set(alone.map { $0.map(\.token) }).count > 12)
        for chunk in [1, 7, 64] {
            #expect(
                try await answers(engine(chunk: chunk, rowCount: 70), requests()) == alone,
                "chunk of \(chunk)")
        }
    }

    @Test func answersAreTheSameWithCacheEvictionAndPreemption() async throws {
        let alone = try await answersAlone()
        let caching = engine(caching: true, chunk: 24)
        for _ in 0..<2 { #expect(try await answers(caching, requests()) == alone) }
        #expect(caching.statistics().cachedTokenCount > 200)
        let scarce = engine(caching: true, chunk: 24, pageCount: 16)
        for _ in 0..<2 { #expect(try await answers(scarce, requests()) == alone) }
        for engine in [caching, scarce] {
            await engine.drain()
            #expect(engine.statistics().usedPageCount == 0)
        }
        #expect(scarce.statistics().preemptionCount > 0)
        #expect(scarce.statistics().evictedPageCount > 0)
    }

    @Test(arguments: [0, 1])
    func pagesOfCompanionsAreFoundAgainWithTheirSequences(plan: Int) async throws {
        let engine = engine(caching: true)
        let request = Request(
            tokens: (0..<48).map { Int32($0) }, plan: TinyMixtures.companions[plan])
        for found in [0, 32] {
            let sink = try submit(request, to: engine).sink
            #expect(RecordingSink.summary(await sink.wait())?.cachedTokenCount == found)
        }
        // 67 computed tokens are four whole pages, each with one of the companion.
        #expect(engine.statistics().cachedPageCount == 8)
    }

    @Test func aCompanionNeedsAsManyPagesAgain() async throws {
        let engine = engine(pageCount: 8)
        let prompt = (0..<65).map { Int32($0) }
        _ = try submit(Request(tokens: prompt, plan: TinyBase.plans[0]), to: engine)
        #expect(throws: EngineError.contextTooLong(tokenCount: 65, maximum: 63)) {
            try submit(Request(tokens: prompt, plan: TinyMixtures.companions[0]), to: engine)
        }
        await engine.drain()
    }

    @Test func cancelledRequestsGiveAllPagesBack() async throws {
        let engine = engine(caching: true)
        for request in requests(Self.plans) {
            // Holds the engine at the first token until the request is cancelled.
            let gate = DispatchSemaphore(value: 0)
            let sink = RecordingSink(gate: gate)
            let handle = try engine.submit(
                GenerationRequest(
                    tokens: request.tokens, lease: CountingLease(request.plan),
                    maximumNewTokenCount: 150, sink: sink))
            engine.cancel(handle)
            gate.signal()
            #expect(RecordingSink.summary(await sink.wait())?.reason == .cancelled)
        }
        await engine.drain()
        #expect(engine.statistics().usedPageCount == 0)
    }

    @Test func aCallIsNeitherCutNorFoundAgain() async throws {
        let request = Request(tokens: (0..<50).map { Int32($0) }, plan: TinyMixtures.call)
        let expected = try await answers(engine(), [request])
        let engine = engine(caching: true, chunk: 8, rowCount: 50)
        for _ in 0..<2 { #expect(try await answers(engine, [request]) == expected) }
        #expect(engine.statistics().cachedTokenCount == 0)
        #expect(engine.statistics().cachedPageCount == 0)
        #expect(engine.statistics().maximumStepRowCount == 50)
    }

    @Test func aPromptThatOneStepHasNoRoomForIsRefused() async throws {
        let engine = engine(rowCount: 70)
        let long = Request(
            tokens: (0..<71).map { Int32($0 % 96) }, plan: TinyMixtures.call)
        #expect(throws: EngineError.promptInOneStep(tokenCount: 71, maximum: 70)) {
            try submit(long, to: engine)
        }
        #expect(
            EngineError.promptInOneStep(tokenCount: 71, maximum: 70).description
                == "the adapter reads all tokens of a prompt at once: this one has 71, and a step "
                + "has room for 70: shorten it")
        let scored = Request(tokens: Array(long.tokens.dropLast(6)), plan: TinyMixtures.call)
        #expect(throws: EngineError.promptInOneStep(tokenCount: 65, maximum: 64)) {
            try submit(scored, to: engine, scoring: true)
        }
        let sink = try submit(
            Request(tokens: Array(scored.tokens.dropLast()), plan: TinyMixtures.call), to: engine,
            scoring: true
        ).sink
        #expect(RecordingSink.summary(await sink.wait())?.reason == .length)
        await engine.drain()
    }
}
