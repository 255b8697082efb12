import Engine
import Synchronization
import Testing
import Transformer

@Suite struct GenerationEngineTests {
    /// Eight prompts under five selections, greedy and sampled, some scored.
    private func requests() throws -> [(tokens: [Int32], plan: Int, sampling: SamplingParameters)] {
        try (0..<16).map { index in
            var random = RandomSource(seed: UInt64(index))
            let count = 1 + index * 5
            let tokens = (0..<count).map { _ in Int32(random.next() % 96) }
            let sampling =
                index.isMultiple(of: 2)
                ? SamplingParameters.greedy
                : try SamplingParameters(
                    temperature: 0.9, topK: 40, topP: 0.95, minP: 0.01, seed: UInt64(index),
                    repetitionPenalty: 1.1, presencePenalty: 0.1, frequencyPenalty: 0.1,
                    logitBias: [3: 1])
            return (tokens, index % TinyBase.plans.count, sampling)
        }
    }

    private func run(
        _ indices: some Sequence<Int>, _ configuration: EngineConfiguration
    ) async throws -> (events: [[GenerationEvent]], statistics: EngineStatistics) {
        let engine = GenerationEngine(
            base: TinyBase.model, pool: TinyBase.pool, configuration: configuration)
        let all = try requests()
        let gate = try GateSink.hold(engine)
        var sinks: [(RecordingSink, CountingLease)] = []
        for index in indices {
            let sink = RecordingSink()
            let lease = CountingLease(TinyBase.plans[all[index].plan])
            sinks.append((sink, lease))
            try engine.submit(
                GenerationRequest(
                    tokens: all[index].tokens, lease: lease, sampling: all[index].sampling,
                    maximumNewTokenCount: 24, logprobCount: 3, promptLogprobCount: 2, sink: sink))
        }
        gate.open()
        var events: [[GenerationEvent]] = []
        for (sink, lease) in sinks {
            // Durations differ; everything before the last event must not.
            let received = await sink.wait()
            #expect(RecordingSink.summary(received)?.reason == .length)
            #expect(lease.releaseCount.load(ordering: .relaxed) == 1)
            #expect(lease.tokenCount.load(ordering: .relaxed) == 24)
            events.append(received.dropLast())
        }
        await engine.drain()
        return (events, engine.statistics())
    }

    @Test func anAnswerIsTheSameAloneAndInAnyBatchChunkOrCache() async throws {
        var alone: [[GenerationEvent]] = []
        for index in 0..<16 {
            alone += try await run([index], EngineConfiguration(draftTokenCount: 0)).events
        }
        for count in [2, 3, 8, 16] {
            let together = try await run(0..<count, EngineConfiguration())
            #expect(together.events == Array(alone[0..<count]), "batch of \(count)")
            #expect(together.statistics.maximumPlanCount == min(count, TinyBase.plans.count))
        }
        for chunk in [1, 7, 64] {
            let chunked = try await run(
                0..<16,
                EngineConfiguration(
                    maximumRowCount: 70, prefillChunk: chunk, maximumSequenceCount: 6))
            #expect(chunked.events == alone, "chunk of \(chunk)")
        }
        for budget in [1, 5, 512] {
            let budgeted = try await run(0..<16, EngineConfiguration(prefillBudget: budget))
            #expect(budgeted.events == alone, "prompts of \(budget) tokens beside others")
        }
        let pageByteCount = KeyValuePagePool.pageByteCount(
            layerCount: 2, shape: TinyBase.model.attentionShape)
        let scarce = try await run(
            0..<16,
            EngineConfiguration(draftTokenCount: 0, keyValueByteCount: 9 * pageByteCount))
        #expect(scarce.events == alone)
        #expect(scarce.statistics.preemptionCount > 0)
        #expect(scarce.statistics.usedPageCount == 0)
        #expect(scarce.statistics.totalPageCount == 9)
    }

    @Test func promptLogprobsComeOnceWithAnEntryForEachToken() async throws {
        let events = try await run([4], EngineConfiguration()).events[0]
        guard case .promptLogprobs(let entries) = events[0] else {
            Issue.record("the first event is \(events[0])")
            return
        }
        let tokens = try requests()[4].tokens
        #expect(entries.count == tokens.count)
        #expect(entries[0] == nil)
        #expect(entries.dropFirst().map { $0?.own.token } == tokens.dropFirst().map { $0 })
        #expect(entries.dropFirst().allSatisfy { $0?.top.count == 2 && $0!.own.logprob <= 0 })
        #expect(events.count == 25)
    }

    private func submit(
        _ engine: GenerationEngine, tokens: [Int32] = [1, 2, 3], count: Int = 8,
        endTokens: Set<Int32> = [], timeout: Duration? = nil, sink: RecordingSink = .init()
    ) throws -> (handle: RequestHandle, sink: RecordingSink, lease: CountingLease) {
        let lease = CountingLease(TinyBase.plans[1])
        let handle = try engine.submit(
            GenerationRequest(
                tokens: tokens, lease: lease, maximumNewTokenCount: count, endTokens: endTokens,
                timeout: timeout, sink: sink))
        return (handle, sink, lease)
    }

    private func engine(
        _ configuration: EngineConfiguration = .init(),
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) -> GenerationEngine {
        GenerationEngine(
            base: TinyBase.model, pool: TinyBase.pool, configuration: configuration, now: now)
    }

    @Test func endTokensAndSinksEndWithStop() async throws {
        let engine = engine()
        let free = try submit(engine)
        let tokens = RecordingSink.tokens(await free.sink.wait()).map(\.token)
        let ended = try submit(engine, endTokens: [tokens[2]])
        let events = await ended.sink.wait()
        let expected = tokens.prefix(through: tokens.firstIndex(of: tokens[2])!)
        #expect(RecordingSink.tokens(events).map(\.token) == Array(expected))
        #expect(RecordingSink.tokens(events).last?.isEndToken == true)
        #expect(RecordingSink.summary(events)?.reason == .stop)
        let stopped = try submit(engine, sink: RecordingSink(stopAfter: 2))
        let stoppedEvents = await stopped.sink.wait()
        #expect(RecordingSink.summary(stoppedEvents)?.reason == .stop)
        #expect(RecordingSink.summary(stoppedEvents)?.completionTokenCount == 2)
    }

    @Test func zeroNewTokensScoreThePromptOnly() async throws {
        let engine = engine()
        let scored = try submit(engine, tokens: [5], count: 0)
        let summary = RecordingSink.summary(await scored.sink.wait())
        #expect(summary?.reason == .length)
        #expect(summary?.completionTokenCount == 0)
        #expect(summary?.promptTokenCount == 1)
    }

    private func plan(layers: [Int]) throws -> AdapterPlan {
        var operators = AdapterOperators()
        operators.repeatedBase = TinyBase.model.repeating(layers)
        return try AdapterPlan(
            [SelectedOperators(name: "a", operators: operators, weight: 1)],
            slots: TinyBase.model.slots)
    }

    @Test func repeatedLayersNeedPagesOfTheirDepth() async throws {
        let plans =
            [AdapterPlan.base(TinyBase.model.slots)]
            + (try [[0, 1], [0, 1, 1], [1, 0, 0, 1]].map(plan))
        func submit(_ engine: GenerationEngine, _ plan: AdapterPlan) throws -> RecordingSink {
            let sink = RecordingSink()
            try engine.submit(
                GenerationRequest(
                    tokens: [5, 9, 2], lease: CountingLease(plan), maximumNewTokenCount: 24,
                    sink: sink))
            return sink
        }
        let error = #expect(throws: EngineError.self) { _ = try submit(engine(), plans[2]) }
        #expect(
            error?.description
                == "the adapter makes a model of 3 layers, and pages of keys and values were made for 2 "
                + "at start: name the adapter when the server starts")
        // All at once, and each alone.
        let deep = engine(EngineConfiguration(layerCount: 4))
        let sinks = try plans.map { try submit(deep, $0) }
        var answers: [[Int32]] = []
        for (sink, plan) in zip(sinks, plans) {
            answers.append(RecordingSink.tokens(await sink.wait()).map(\.token))
            let own = engine(EngineConfiguration(layerCount: 4))
            let alone = try submit(own, plan)
            #expect(RecordingSink.tokens(await alone.wait()).map(\.token) == answers.last)
            await own.drain()
        }
        #expect(answers.allSatisfy { $0.count == 24 })
        #expect(answers[1] == answers[0])
        #expect(answers[2] != answers[0] && answers[3] != answers[0])
    }

    @Test func selectionsGiveDifferentAnswers() async throws {
        let engine = engine()
        var answers: Set<[Float]> = []
        for plan in TinyBase.plans {
            let sink = RecordingSink()
            try engine.submit(
                GenerationRequest(
                    tokens: [1, 2, 3], lease: CountingLease(plan), maximumNewTokenCount: 4,
                    logprobCount: 1, sink: sink))
            let tokens = RecordingSink.tokens(await sink.wait())
            answers.insert(tokens.map { $0.logprobs?.own.logprob ?? 0 })
        }
        #expect(answers.count == TinyBase.plans.count)
    }

    @Test func cancelledAndExcessRequestsAreToldSo() async throws {
        let engine = engine(EngineConfiguration(maximumSequenceCount: 1, queueLimit: 2))
        let gate = try GateSink.hold(engine)
        let cancelled = try submit(engine)
        let kept = try submit(engine)
        #expect(throws: EngineError.overloaded(requestLimit: 3)) { try engine.checkCapacity() }
        #expect(throws: EngineError.overloaded(requestLimit: 3)) { try submit(engine) }
        engine.cancel(cancelled.handle)
        gate.open()
        let events = await cancelled.sink.wait()
        #expect(events.count == 1)
        #expect(RecordingSink.summary(events)?.reason == .cancelled)
        #expect(RecordingSink.tokens(await kept.sink.wait()).count == 8)
        engine.cancel(kept.handle)
        await engine.drain()
        #expect(engine.statistics().finishedCounts == [.cancelled: 1, .length: 2])
        #expect(kept.sink.events.count == 9)
    }

    @Test func timeoutEndsWithWhatThereIs() async throws {
        let engine = engine()
        let late = try submit(engine, timeout: .zero)
        #expect(RecordingSink.summary(await late.sink.wait())?.reason == .timeout)
        #expect(late.lease.releaseCount.load(ordering: .relaxed) == 1)
        // A clock that each token moves on by a second.
        let start = ContinuousClock.now
        let sink = RecordingSink()
        let timed = self.engine(EngineConfiguration(draftTokenCount: 0)) {
            start + .seconds(RecordingSink.tokens(sink.events).count)
        }
        let partial = try submit(timed, count: 200, timeout: .milliseconds(3500), sink: sink)
        let events = await partial.sink.wait()
        #expect(RecordingSink.summary(events)?.reason == .timeout)
        #expect(RecordingSink.tokens(events).count == 4)
    }

    @Test func theContextIsTheLimitOfNewTokens() async throws {
        let engine = engine(EngineConfiguration(maximumContext: 10))
        let long = try submit(engine, count: 1000)
        let summary = RecordingSink.summary(await long.sink.wait())
        #expect(summary?.reason == .length)
        #expect(summary?.completionTokenCount == 7)
        #expect(throws: EngineError.contextTooLong(tokenCount: 10, maximum: 9)) {
            try submit(engine, tokens: Array(repeating: 1, count: 10))
        }
    }

    @Test func refusalsReleaseTheLease() async throws {
        let engine = engine(EngineConfiguration(maximumSequenceCount: 1, queueLimit: 0))
        let lease = CountingLease(TinyBase.plans[0])
        let sink = RecordingSink()
        func refusal(_ tokens: [Int32]) -> EngineError? {
            do throws(EngineError) {
                try engine.submit(GenerationRequest(tokens: tokens, lease: lease, sink: sink))
                return nil
            } catch { return error }
        }
        #expect(refusal([]) == .emptyPrompt)
        #expect(refusal([96]) == .unknownToken(96, field: "tokens", vocabularyCount: 96))
        #expect(refusal([-1]) == .unknownToken(-1, field: "tokens", vocabularyCount: 96))
        await engine.drain()
        #expect(refusal([1]) == .shuttingDown)
        #expect(throws: EngineError.shuttingDown) { try engine.checkCapacity() }
        #expect(lease.releaseCount.load(ordering: .relaxed) == 4)
        #expect(sink.events.isEmpty)
    }

    private func refusal(
        _ engine: GenerationEngine, tokens: [Int32] = [1, 2, 3, 4],
        sampling: SamplingParameters = .greedy, promptLogprobCount: Int? = nil, priority: Int = 0,
        maximumPriority: Int = 100
    ) -> String? {
        do throws(EngineError) {
            try engine.submit(
                GenerationRequest(
                    tokens: tokens, lease: CountingLease(TinyBase.plans[0]), sampling: sampling,
                    maximumNewTokenCount: 0, promptLogprobCount: promptLogprobCount,
                    priority: priority, maximumPriority: maximumPriority, sink: RecordingSink()))
            return nil
        } catch { return error.description }
    }

    @Test func scoresOfAPromptAreBoundedTogether() async {
        let engine = engine(EngineConfiguration(maximumPromptLogprobCount: 12))
        for count in [nil, 0, 2, 3] {
            #expect(refusal(engine, promptLogprobCount: count) == nil)
        }
        #expect(
            refusal(engine, promptLogprobCount: 4)
                == "'prompt_logprobs' is 4, expected 0…3 for a prompt of 4 tokens, as an answer has at "
                + "most 12 alternatives of them")
        let long = [Int32](repeating: 1, count: 13)
        #expect(refusal(engine, tokens: long, promptLogprobCount: 0) == nil)
        #expect(refusal(engine, tokens: long, promptLogprobCount: 1) != nil)
        await engine.drain()
    }

    @Test func aPriorityIsBoundedByWhatTheClientMay() async {
        let engine = engine()
        for (priority, maximum) in [(100, 100), (100, 200), (0, 0), (-100, 0), (-100, -200)] {
            #expect(refusal(engine, priority: priority, maximumPriority: maximum) == nil)
        }
        #expect(
            refusal(engine, priority: 1, maximumPriority: 0)
                == "'priority' is 1, expected -100…0")
        #expect(
            refusal(engine, priority: 101, maximumPriority: 200)
                == "'priority' is 101, expected -100…100")
        #expect(refusal(engine, priority: -101) == "'priority' is -101, expected -100…100")
        await engine.drain()
    }

    @Test func aBiasOfATokenThatIsNotThereIsRefused() async throws {
        let engine = engine()
        func refusal(biasing token: Int) throws -> String? {
            self.refusal(
                engine, sampling: try SamplingParameters(temperature: 0, logitBias: [token: 1]))
        }
        for token in [96, -1, .max] {
            #expect(
                try refusal(biasing: token)
                    == "'logit_bias' names token \(token); the vocabulary has ids 0…95")
        }
        #expect(try refusal(biasing: 95) == nil)
        await engine.drain()
    }

    @Test func abortGivesUpWhatIsInFlight() async throws {
        let engine = engine(EngineConfiguration(maximumSequenceCount: 2))
        let requests = try (0..<20).map { _ in try submit(engine, count: 200) }
        engine.abort()
        await engine.drain()
        for (_, sink, lease) in requests {
            #expect(sink.events.last.map(RecordingSink.isTerminal) == true)
            #expect(lease.releaseCount.load(ordering: .relaxed) == 1)
        }
        #expect(requests.contains { $0.sink.events.last == .failed(.shuttingDown) })
    }

    @Test func aThousandRandomSubmissionsAndCancellationsEndOnceEach() async throws {
        let engine = engine(
            EngineConfiguration(maximumSequenceCount: 4, queueLimit: 24))
        var random = RandomSource(seed: 20)
        var live: [(handle: RequestHandle, sink: RecordingSink, lease: CountingLease)] = []
        var refusedCount = 0
        for _ in 0..<1000 {
            if random.next() % 3 < 2 {
                do {
                    let count = 1 + Int(random.next() % 40)
                    live.append(
                        try submit(
                            engine, tokens: Array(repeating: 9, count: count),
                            count: Int(random.next() % 12),
                            timeout: random.next() % 5 == 0 ? .milliseconds(1) : nil))
                } catch EngineError.overloaded { refusedCount += 1 }
            } else if !live.isEmpty {
                engine.cancel(live[Int(random.next() % UInt64(live.count))].handle)
            }
        }
        await engine.drain()
        for (_, sink, lease) in live {
            let events = sink.events
            #expect(events.filter(RecordingSink.isTerminal).count == 1)
            #expect(events.last.map(RecordingSink.isTerminal) == true)
            #expect(lease.releaseCount.load(ordering: .relaxed) == 1)
        }
        let statistics = engine.statistics()
        #expect(statistics.usedPageCount == 0 && statistics.runningCount == 0)
        #expect(statistics.waitingCount == 0)
        #expect(statistics.finishedCounts.values.reduce(0, +) == live.count)
        #expect(live.count + refusedCount > 500)
    }
}
