import Engine
import Synchronization
import Testing

/// Requests that are accepted before they are there.
@Suite struct RequestTicketTests {
    private func engine(_ configuration: EngineConfiguration) -> GenerationEngine {
        GenerationEngine(base: TinyBase.model, pool: TinyBase.pool, configuration: configuration)
    }

    private func request(
        _ sink: RecordingSink, tokens: [Int32] = [1, 2], lease: CountingLease,
        timeout: Duration? = nil
    ) -> GenerationRequest {
        GenerationRequest(
            tokens: tokens, lease: lease, maximumNewTokenCount: 2, timeout: timeout, sink: sink)
    }

    @Test func ticketsCountAgainstTheLimit() async throws {
        let engine = engine(EngineConfiguration(maximumSequenceCount: 1, queueLimit: 2))
        let tickets = try (0..<3).map { _ in try engine.accept() }
        #expect(engine.statistics().waitingCount == 3)
        #expect(throws: EngineError.overloaded(requestLimit: 3)) { try engine.accept() }
        engine.withdraw(tickets[0])
        let again = try engine.accept()
        #expect(throws: EngineError.overloaded(requestLimit: 3)) { try engine.accept() }
        for ticket in [tickets[1], tickets[2], again] {
            let sink = RecordingSink()
            let lease = CountingLease(TinyBase.plans[0])
            try engine.submit(request(sink, lease: lease), ticket: ticket)
            #expect(RecordingSink.summary(await sink.wait())?.reason == .length)
            #expect(lease.releaseCount.load(ordering: .relaxed) == 1)
        }
        #expect(engine.statistics().waitingCount == 0)
        await engine.drain()
    }

    @Test func aRefusedRequestGivesItsTicketBack() async throws {
        let engine = engine(EngineConfiguration(maximumSequenceCount: 1, queueLimit: 0))
        for _ in 0..<3 {
            let lease = CountingLease(TinyBase.plans[0])
            let ticket = try engine.accept()
            #expect(throws: EngineError.emptyPrompt) {
                try engine.submit(
                    request(RecordingSink(), tokens: [], lease: lease), ticket: ticket)
            }
            #expect(lease.releaseCount.load(ordering: .relaxed) == 1)
        }
        let ticket = try engine.accept()
        let lease = CountingLease(TinyBase.plans[0])
        await engine.drain()
        #expect(throws: EngineError.shuttingDown) { try engine.accept() }
        #expect(throws: EngineError.shuttingDown) {
            try engine.submit(request(RecordingSink(), lease: lease), ticket: ticket)
        }
        #expect(lease.releaseCount.load(ordering: .relaxed) == 1)
    }

    @Test func timesCountFromAcceptance() async throws {
        let engine = engine(EngineConfiguration())
        func submit(timeout: Duration?) async throws -> GenerationSummary? {
            let sink = RecordingSink()
            // Accepted two seconds ago; its adapters had to be read.
            let accepted = try engine.accept().accepted - .seconds(2)
            try engine.submit(
                request(sink, lease: CountingLease(TinyBase.plans[0]), timeout: timeout),
                ticket: RequestTicket(accepted: accepted))
            return RecordingSink.summary(await sink.wait())
        }
        let summary = try #require(try await submit(timeout: nil))
        #expect(summary.queueDuration >= .seconds(2))
        #expect(summary.reason == .length)
        #expect(try await submit(timeout: .seconds(1))?.reason == .timeout)
        #expect(try await submit(timeout: .seconds(100))?.reason == .length)
        await engine.drain()
    }
}
