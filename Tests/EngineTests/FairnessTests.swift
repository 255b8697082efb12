import Dispatch
import Engine
import Synchronization
import Testing
import Transformer

/// How many steps a burst on one selection can hold another one's request up.
@Suite struct FairnessTests {
    private static let newTokenCount = 16
    private static let placeCount = 8
    private static let burstCount = 40

    /// The forward pass, with a record of which plans had rows in each step.
    private final class RecordingRunner: StepRunner {
        /// Plans of each step so far.
        final class Record: Sendable {
            let steps = Mutex<[Set<ObjectIdentifier>]>([])

            /// The first step with rows of a plan.
            func firstStep(of plan: AdapterPlan) -> Int? {
                steps.withLock { $0.firstIndex { $0.contains(ObjectIdentifier(plan)) } }
            }

            var count: Int { steps.withLock { $0.count } }
        }

        private let forward: ForwardPass
        private let record: Record

        init(_ forward: ForwardPass, _ record: Record) {
            self.forward = forward
            self.record = record
        }

        func step(_ slices: [StepSlice]) -> StepLogits {
            record.steps.withLock { $0.append(Set(slices.map { ObjectIdentifier($0.plan) })) }
            return forward.step(slices)
        }
    }

    private func engine(_ record: RecordingRunner.Record) -> GenerationEngine {
        // Every sequence makes a token a step, so that steps tell the order.
        .tiny(
            EngineConfiguration(draftTokenCount: 0, maximumSequenceCount: Self.placeCount),
            pageCount: 256
        ) { RecordingRunner($0, record) }
    }

    private func submit(
        _ engine: GenerationEngine, plan: Int, number: Int, sink: RecordingSink = .init()
    ) throws -> RecordingSink {
        try engine.submit(
            GenerationRequest(
                tokens: (0..<20).map { Int32(($0 * 3 + number) % 96) },
                lease: CountingLease(TinyBase.plans[plan]),
                maximumNewTokenCount: Self.newTokenCount, sink: sink))
        return sink
    }

    @Test func aRequestAmongABurstIsInItsFirstStep() async throws {
        let record = RecordingRunner.Record()
        let engine = engine(record)
        let gate = try GateSink.hold(engine)
        var sinks = try (0..<Self.burstCount).map { try submit(engine, plan: 1, number: $0) }
        sinks.append(try submit(engine, plan: 2, number: 0))
        gate.open()
        for sink in sinks { _ = await sink.wait() }
        await engine.drain()
        let first = try #require(record.firstStep(of: TinyBase.plans[1]))
        #expect(record.firstStep(of: TinyBase.plans[2]) == first)
    }

    @Test func aRequestBehindABurstTakesTheNextPlaceThatIsFree() async throws {
        let record = RecordingRunner.Record()
        let engine = engine(record)
        let semaphore = DispatchSemaphore(value: 0)
        let held = RecordingSink(gate: semaphore)
        let gate = try GateSink.hold(engine)
        _ = try submit(engine, plan: 1, number: 0, sink: held)
        var sinks = try (1..<Self.burstCount).map { try submit(engine, plan: 1, number: $0) }
        gate.open()
        while held.events.isEmpty { await Task.yield() }
        // All places are taken, and the engine waits in its second step.
        sinks.append(try submit(engine, plan: 2, number: 0))
        semaphore.signal()
        for sink in sinks + [held] { _ = await sink.wait() }
        await engine.drain()
        let first = try #require(record.firstStep(of: TinyBase.plans[2]))
        // Those that had places made their tokens, and no others went before it.
        #expect(first <= 1 + Self.newTokenCount)
        #expect(record.count > Self.burstCount / Self.placeCount * Self.newTokenCount)
    }
}
