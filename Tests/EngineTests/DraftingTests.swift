import Adapters
import Engine
import Kernels
import Synchronization
import Testing
import Transformer

/// Guessed tokens change how many steps an answer takes, and no bit of it.
@Suite struct DraftingTests {
    /// A clock that stands still: steps cost nothing, and every guess is worth its row.
    private static let instant = ContinuousClock.now
    private static let pageByteCount = KeyValuePagePool.pageByteCount(
        layerCount: 2, shape: TinyBase.model.attentionShape)
    private static let plans = TinyBase.plans + TinyMixtures.companions + [TinyMixtures.call]

    private func engine(
        drafts: Int, chunk: Int = 256, pageCount: Int = 512, caching: Bool = true,
        sequences: Int = 32
    ) -> GenerationEngine {
        GenerationEngine(
            base: TinyBase.model, pool: TinyBase.pool,
            configuration: EngineConfiguration(
                prefillChunk: chunk, draftTokenCount: drafts, maximumSequenceCount: sequences,
                keyValueByteCount: pageCount * Self.pageByteCount, usesPrefixCache: caching),
            now: { Self.instant })
    }

    private struct Request {
        var tokens: [Int32]
        var plan = TinyBase.plans[0]
        /// The base acts before these tokens.
        var invocation: [Int32]?
        var sampling = SamplingParameters.greedy
        var count = 60
        var endTokens: Set<Int32> = []
        var promptLogprobCount: Int? = 1
        var sink = RecordingSink()
    }

    /// Prompts that repeat themselves, as greedy answers soon do, and sampled ones now and then;
    /// under all plans, some of which act from the middle of the prompt on, or not at all.
    private func requests() throws -> [Request] {
        try (0..<28).map { index in
            var random = RandomSource(seed: UInt64(index))
            let phrase = (0..<3 + index % 5).map { _ in Int32(random.next() % 96) }
            return Request(
                tokens: phrase + phrase + [Int32(index)] + phrase,
                plan: index < 24 ? Self.plans[index % Self.plans.count] : TinyBase.plans[3],
                invocation: index < 24 ? nil : index < 27 ? [Int32(index)] : [95, 94, 95],
                sampling: index % 3 < 2
                    ? .greedy
                    : try SamplingParameters(
                        temperature: 0.3, topP: 0.9, seed: UInt64(index), repetitionPenalty: 1.05,
                        frequencyPenalty: 0.01))
        }
    }

    private func lease(_ request: Request) -> CountingLease {
        CountingLease(
            request.plan,
            activation: request.invocation.map {
                PlanActivation(
                    tokens: ActivationTokens($0), earlierPlan: TinyBase.plans[0],
                    earlierKey: CountingLease(TinyBase.plans[0]).key)
            })
    }

    private func answers(
        _ engine: GenerationEngine, _ requests: [Request]
    ) async throws -> [[GenerationEvent]] {
        let gate = try GateSink.hold(engine)
        for request in requests {
            try engine.submit(
                GenerationRequest(
                    tokens: request.tokens, lease: lease(request),
                    sampling: request.sampling, maximumNewTokenCount: request.count,
                    endTokens: request.endTokens, logprobCount: 3,
                    promptLogprobCount: request.promptLogprobCount,
                    sink: request.sink))
        }
        gate.open()
        var events: [[GenerationEvent]] = []
        for request in requests { events.append(await request.sink.wait().dropLast()) }
        return events
    }

    @Test func answersAreTheSameWithAnyNumberOfGuesses() async throws {
        let plain = engine(drafts: 0)
        let expected = try await answers(plain, requests())
        #expect(plain.statistics().draftedTokenCount == 0)
        for drafts in [1, 2, 6, 40] {
            let engine = engine(drafts: drafts, chunk: drafts == 2 ? 3 : 256)
            #expect(try await answers(engine, requests()) == expected, "\(drafts) guesses")
            // Another time, with what the cache has of guessed tokens too.
            #expect(try await answers(engine, requests()) == expected, "\(drafts), cached")
            await engine.drain()
            let statistics = engine.statistics()
            #expect(statistics.acceptedDraftTokenCount > 100)
            #expect(statistics.draftedTokenCount > statistics.acceptedDraftTokenCount)
            #expect(statistics.usedPageCount == 0)
        }
    }

    @Test func aTextThatRepeatsItselfTakesFewerSteps() async throws {
        let engines = [engine(drafts: 0), engine(drafts: 6)]
        for engine in engines {
            _ = try await answers(engine, [Request(tokens: [5, 6, 7, 5, 6, 7, 5, 6])])
            await engine.drain()
            #expect(engine.statistics().generatedTokenCount == 61)
        }
        #expect(engines[0].statistics().stepCount == 61)
        #expect(engines[1].statistics().stepCount < 30)
        #expect(
            engines[1].statistics().stepCount
                == 61 - engines[1].statistics().acceptedDraftTokenCount)
    }

    @Test func answersAreTheSameWhereMemoryIsScarce() async throws {
        let expected = try await answers(engine(drafts: 0), requests())
        for caching in [false, true] {
            let engine = engine(drafts: 6, pageCount: 14, caching: caching, sequences: 6)
            #expect(try await answers(engine, requests()) == expected)
            await engine.drain()
            #expect(engine.statistics().preemptionCount > 0)
            #expect(engine.statistics().acceptedDraftTokenCount > 0)
            #expect(engine.statistics().usedPageCount == 0)
        }
    }

    /// The comparison above can fail: rows of guesses that are computed otherwise are noticed.
    @Test func rowsThatDifferAreNoticed() async throws {
        let tokens: [Int32] = [5, 6, 7, 5, 6, 7, 5, 6]
        let plain = try await answers(
            engine(drafts: 0), [Request(tokens: tokens, promptLogprobCount: nil)])
        let spoilt = engine { $0[3] += 40 }
        let answer = try await answers(
            spoilt, [Request(tokens: tokens, promptLogprobCount: nil)])
        #expect(spoilt.statistics().draftedTokenCount > 0)
        #expect(answer != plain)
    }

    /// An engine that spoils the rows of guesses; no prompt may be scored.
    private func engine(
        spoiling guesses: Set<Int32>? = nil,
        _ spoil: @escaping @Sendable (UnsafeMutableBufferPointer<Float>) -> Void
    ) -> GenerationEngine {
        .tiny(now: { Self.instant }) { forward in
            SpoilingRunner(
                forward,
                where: { slice, place in
                    place > slice.firstLogitsRow
                        && guesses?.contains(slice.tokens[place]) ?? true
                }, spoil: spoil)
        }
    }

    /// A row that no token comes from can't fail a request; one that a token comes from does.
    @Test func onlyRowsThatCountCanFail() async throws {
        // After 8 the prompt has 95, which can't come; 8 does.
        let wrong = engine(spoiling: [95]) { $0[5] = .nan }
        let answer = try await answers(
            wrong,
            [
                Request(
                    tokens: [8, 95, 8, 95, 8],
                    sampling: try SamplingParameters(
                        temperature: 0, logitBias: [95: -100, 8: 100]),
                    promptLogprobCount: nil)
            ])
        #expect(RecordingSink.tokens(answer[0]).map(\.token) == Array(repeating: 8, count: 60))
        #expect(
            wrong.statistics().draftedTokenCount > wrong.statistics().acceptedDraftTokenCount)
        let tokens: [Int32] = [5, 6, 7, 5, 6, 7, 5, 6]
        let right = engine { $0[5] = .nan }
        let sink = RecordingSink()
        _ = try await answers(
            right, [Request(tokens: tokens, promptLogprobCount: nil, sink: sink)])
        guard case .failed(.nonFiniteLogits(let position)) = sink.events.last else {
            Issue.record("ended with \(String(describing: sink.events.last))")
            return
        }
        #expect(position == tokens.count + RecordingSink.tokens(sink.events).count - 1)
        #expect(right.statistics().usedPageCount == 0)
    }

    @Test func anAnswerEndsAmongGuessesWhereItWouldWithoutThem() async throws {
        let tokens: [Int32] = [5, 6, 7, 5, 6, 7, 5, 6]
        let free = RecordingSink.tokens(
            try await answers(engine(drafts: 0), [Request(tokens: tokens)])[0])
        for count in 1...60 {
            let engine = engine(drafts: 6)
            let stopped = RecordingSink(stopAfter: count)
            let limited = RecordingSink()
            let ended = RecordingSink()
            _ = try await answers(
                engine,
                [
                    Request(tokens: tokens, sink: stopped),
                    Request(tokens: tokens, count: count, sink: limited),
                    Request(tokens: tokens, endTokens: [free[count - 1].token], sink: ended),
                ])
            let first = free.firstIndex { $0.token == free[count - 1].token }!
            for (sink, length, reason) in [
                (stopped, count, FinishReason.stop), (limited, count, .length),
                (ended, first + 1, .stop),
            ] {
                #expect(
                    RecordingSink.tokens(sink.events).map(\.token)
                        == free.prefix(length).map(\.token))
                #expect(RecordingSink.summary(sink.events)?.reason == reason)
                #expect(RecordingSink.summary(sink.events)?.completionTokenCount == length)
            }
            await engine.drain()
            #expect(engine.statistics().usedPageCount == 0)
            #expect(engine.statistics().generatedTokenCount == 2 * count + first + 2)
        }
    }

    /// Its numbers depend on which tokens a step has.
    @Test func whatReadsWholeCallsGuessesNothing() async throws {
        let engine = engine(drafts: 6)
        let tokens: [Int32] = [5, 6, 7, 5, 6, 7, 5, 6]
        _ = try await answers(engine, [Request(tokens: tokens, plan: TinyMixtures.call)])
        #expect(engine.statistics().draftedTokenCount == 0)
    }
}
