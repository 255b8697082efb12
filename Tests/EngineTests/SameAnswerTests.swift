import Adapters
import Engine
import Kernels
import Testing
import Transformer

/// The same request has the same answer, bit for bit, whatever the server was told and does beside
/// it.
@Suite struct SameAnswerTests {
    private static let instant = ContinuousClock.now

    private struct Setting: Sendable {
        var draftTokenCount = 0
        var usesPrefixCache = false
        var threadCount = 1
        var isAlone = true
        /// Asks twice, so that the cache is warm the second time.
        var repeats = 1
    }

    private static func samplings() throws -> [SamplingParameters] {
        var result: [SamplingParameters] = []
        for (temperature, seed) in [(0, nil), (0.9, 7)] as [(Float, UInt64?)] {
            func add(
                repetition: Float = 1, presence: Float = 0, frequency: Float = 0,
                bias: [Int: Float] = [:]
            ) throws {
                result.append(
                    try SamplingParameters(
                        temperature: temperature, topP: 0.95, seed: seed,
                        repetitionPenalty: repetition, presencePenalty: presence,
                        frequencyPenalty: frequency, logitBias: bias))
            }
            try add()
            try add(repetition: 1.3)
            try add(presence: 0.8)
            try add(frequency: 0.8)
            try add(bias: [4: 2, 9: -3])
        }
        return result
    }

    /// Full of repetition, so that there is much to guess.
    private static func prompt(_ index: Int) -> [Int32] {
        let phrase = (0..<4 + index % 4).map { Int32(($0 * 11 + index * 3) % 96) }
        return phrase + phrase + phrase + [Int32(index)] + phrase
    }

    private func answers(_ setting: Setting) async throws -> [[GenerationEvent]] {
        let engine = GenerationEngine(
            base: TinyBase.model, pool: WorkerPool(threadCount: setting.threadCount),
            configuration: EngineConfiguration(
                draftTokenCount: setting.draftTokenCount,
                usesPrefixCache: setting.usesPrefixCache),
            now: { Self.instant })
        var events: [[GenerationEvent]] = []
        for _ in 0..<setting.repeats {
            events = []
            var sinks: [RecordingSink] = []
            let gate = setting.isAlone ? nil : try GateSink.hold(engine)
            for (index, sampling) in try Self.samplings().enumerated() {
                for plan in [0, 2] {
                    let sink = RecordingSink()
                    try engine.submit(
                        GenerationRequest(
                            tokens: Self.prompt(index), lease: CountingLease(TinyBase.plans[plan]),
                            sampling: sampling, maximumNewTokenCount: 32, logprobCount: 5,
                            sink: sink))
                    if setting.isAlone { events.append(await sink.wait().dropLast()) }
                    sinks.append(sink)
                }
            }
            gate?.open()
            guard !setting.isAlone else { continue }
            for sink in sinks { events.append(await sink.wait().dropLast()) }
        }
        await engine.drain()
        if setting.draftTokenCount > 0 {
            #expect(engine.statistics().acceptedDraftTokenCount > 0)
        }
        return events
    }

    @Test func guessesCacheCompanyAndThreadsChangeNoBit() async throws {
        let expected = try await answers(Setting())
        #expect(expected.allSatisfy { $0.count == 32 })
        for drafts in [0, 8] {
            for caching in [false, true] {
                for isAlone in [true, false] {
                    for threads in 1...2 {
                        let setting = Setting(
                            draftTokenCount: drafts, usesPrefixCache: caching,
                            threadCount: threads, isAlone: isAlone, repeats: caching ? 2 : 1)
                        #expect(try await answers(setting) == expected, "\(setting)")
                    }
                }
            }
        }
    }

    @Test func withoutASeedAnswersDiffer() async throws {
        let engine = GenerationEngine(base: TinyBase.model, pool: TinyBase.pool)
        func answer(seed: UInt64?) async throws -> [Int32] {
            let sink = RecordingSink()
            try engine.submit(
                GenerationRequest(
                    tokens: [1, 2, 3], lease: CountingLease(TinyBase.plans[0]),
                    sampling: try SamplingParameters(temperature: 2, seed: seed),
                    maximumNewTokenCount: 64, sink: sink))
            return RecordingSink.tokens(await sink.wait()).map(\.token)
        }
        var free: Set<[Int32]> = []
        for _ in 0..<3 { free.insert(try await answer(seed: nil)) }
        #expect(free.count == 3)
        #expect(try await answer(seed: 5) == answer(seed: 5))
        #expect(try await answer(seed: 5) != answer(seed: 6))
        await engine.drain()
    }
}
