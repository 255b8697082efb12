import Adapters
import Engine
import LlamaSlots
import Kernels
import Testing
import Transformer

/// Adapters that act from some token of the prompt on, and have tokens of their own.
@Suite struct ActivatedVocabularyTests {
    private static let tokenCount = 100
    private static let invocation: [Int32] = [97, 3]
    private let prompt: [Int32] =
        [1, 96, 5, 98, 7, 99, 96, 2] + (10..<40).map { Int32($0) } + [97, 3, 98, 6]

    /// A plan with four more tokens, and its own for the tokens before.
    private static let plans: [AdapterPlan] = (0..<3).map { index in
        var random = RandomSource(seed: UInt64(70 + index))
        var operators = AdapterOperators()
        let table = packed(4, TinyBase.hiddenSize, &random)
        operators.vocabulary = ResizedVocabulary(
            tokenCount: tokenCount, embedding: table, head: table)
        operators.activation = ActivationTokens(invocation)
        operators.linear[.layer(0, .value)] = [
            .dense(packed(16, TinyBase.hiddenSize, &random))
        ]
        do {
            return try AdapterPlan(
                [SelectedOperators(name: "a", operators: operators, weight: 1)],
                slots: TinyBase.model.slots)
        } catch { preconditionFailure("no plan: \(error)") }
    }

    private static func packed(
        _ outputCount: Int, _ inputCount: Int, _ random: inout RandomSource
    ) -> PackedMatrix {
        TinyBase.values(outputCount * inputCount, scale: 0.6, &random).withUnsafeBytes {
            PackedMatrix(
                packing: WeightMatrix(
                    pointer: $0.baseAddress!, type: .f32, outputCount: outputCount,
                    inputCount: inputCount), pool: nil)
        }
    }

    private func lease(_ index: Int, before earlier: AdapterPlan? = nil) -> CountingLease {
        let plan = Self.plans[index]
        let earlier = earlier ?? plan.earlier ?? plan
        return CountingLease(
            plan,
            activation: PlanActivation(
                tokens: ActivationTokens(Self.invocation), earlierPlan: earlier,
                earlierKey: CountingLease(earlier).key))
    }

    private func request(_ lease: CountingLease, _ sink: RecordingSink) throws -> GenerationRequest
    {
        GenerationRequest(
            tokens: prompt, lease: lease,
            sampling: try SamplingParameters(
                temperature: 0, repetitionPenalty: 1.3, presencePenalty: 0.5,
                logitBias: [99: 1, 96: 1]),
            maximumNewTokenCount: 30, logprobCount: 3, promptLogprobCount: 3, sink: sink)
    }

    private func engine(_ configuration: EngineConfiguration = .init()) -> GenerationEngine {
        GenerationEngine(base: TinyBase.model, pool: TinyBase.pool, configuration: configuration)
    }

    @Test func thePlanBeforeHasTheTablesAndNothingElse() throws {
        let plan = Self.plans[0]
        let earlier = try #require(plan.earlier)
        #expect(earlier.vocabularyCount == Self.tokenCount && earlier.activation == nil)
        #expect(earlier.earlier == nil && !earlier.isBase)
        #expect(TinyBase.plans.allSatisfy { $0.earlier == nil })
    }

    @Test func addedTokensBeforeAnInvocationHaveTheSameBitsInAnyCompany() async throws {
        var alone: [[GenerationEvent]] = []
        for index in 0..<3 {
            let engine = engine(EngineConfiguration(draftTokenCount: 0, usesPrefixCache: false))
            let sink = RecordingSink()
            try engine.submit(request(lease(index), sink))
            alone.append(await sink.wait().dropLast())
            await engine.drain()
        }
        #expect(alone.allSatisfy { $0.count == 31 })
        #expect(alone[0] != alone[1])
        for (chunk, caching) in [(256, false), (256, true), (1, false), (5, true)] {
            let engine = engine(
                EngineConfiguration(prefillChunk: chunk, usesPrefixCache: caching))
            for _ in 0..<2 {
                let gate = try GateSink.hold(engine)
                let sinks = (0..<3).map { _ in RecordingSink() }
                var others: [RecordingSink] = []
                for (index, sink) in sinks.enumerated() {
                    others.append(RecordingSink())
                    try engine.submit(
                        GenerationRequest(
                            tokens: (0..<40).map { Int32(($0 * 5 + index) % 96) },
                            lease: CountingLease(TinyBase.plans[index]), maximumNewTokenCount: 30,
                            sink: others[index]))
                    try engine.submit(request(lease(index), sink))
                }
                gate.open()
                for (index, sink) in sinks.enumerated() {
                    #expect(
                        await sink.wait().dropLast() == alone[index][...],
                        "\(index), chunks of \(chunk), cache \(caching)")
                }
                for sink in others { _ = await sink.wait() }
            }
            await engine.drain()
        }
    }

    /// A lease whose first plan knows fewer tokens is held to these.
    @Test func tokensThatThePlanBeforeLacksAreRefused() async throws {
        let engine = engine()
        #expect(throws: EngineError.unknownToken(96, field: "tokens", vocabularyCount: 96)) {
            try engine.submit(request(lease(0, before: TinyBase.plans[0]), RecordingSink()))
        }
        await engine.drain()
    }
}
