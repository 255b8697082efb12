import Engine
import Synchronization
import Testing
import Transformer

/// Who goes over the rows that score a prompt.
@Suite struct PromptScoreTests {
    /// The forward pass, with a count of what was left to the workers.
    private final class CountingRunner: StepRunner {
        final class Record: Sendable {
            let taskCount = Atomic(0)
        }

        private let forward: ForwardPass
        private let record: Record

        init(_ forward: ForwardPass, _ record: Record) {
            self.forward = forward
            self.record = record
        }

        func step(_ slices: [StepSlice]) -> StepLogits { forward.step(slices) }

        func concurrently(_ count: Int, _ body: (Int) -> Void) {
            record.taskCount.add(count, ordering: .relaxed)
            forward.concurrently(count, body)
        }
    }

    @Test func rowsThatScoreAPromptAreRankedByTheWorkers() async throws {
        let record = CountingRunner.Record()
        let engine = GenerationEngine.tiny { CountingRunner($0, record) }
        let sink = RecordingSink()
        let tokens = (0..<50).map { Int32($0 * 7 % 96) }
        try engine.submit(
            GenerationRequest(
                tokens: tokens, lease: CountingLease(TinyBase.plans[1]), maximumNewTokenCount: 0,
                promptLogprobCount: 5, sink: sink))
        let events = await sink.wait()
        await engine.drain()
        #expect(record.taskCount.load(ordering: .relaxed) == 50)
        guard case .promptLogprobs(let entries) = events.first else {
            Issue.record("no scores")
            return
        }
        #expect(entries.dropFirst().map { $0?.own.token } == tokens.dropFirst().map { $0 })
        for entry in entries.dropFirst().compactMap(\.self) {
            #expect(entry.top.count == 5)
            #expect(entry.top.map(\.logprob) == entry.top.map(\.logprob).sorted(by: >))
            #expect(entry.own.logprob <= entry.top[0].logprob)
        }
    }
}
