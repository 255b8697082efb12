import Engine
import Kernels
import Synchronization
import Testing
import Transformer

@Suite struct NonFiniteLogitsTests {
    @Test func oneRequestFailsAndTheOthersGoOn() async throws {
        let engine = GenerationEngine.tiny { forward in
            SpoilingRunner(forward, where: { $0.tokens[$1] == 95 }) { row in row[5] = .nan }
        }
        let leases = (0..<2).map { _ in CountingLease(TinyBase.plans[0]) }
        let sinks = (0..<2).map { _ in RecordingSink() }
        for (index, tokens) in [[1, 2, 95], [1, 2, 3] as [Int32]].enumerated() {
            try engine.submit(
                GenerationRequest(
                    tokens: tokens, lease: leases[index],
                    sampling: try SamplingParameters(temperature: 0, logitBias: [95: -100]),
                    maximumNewTokenCount: 6, sink: sinks[index]))
        }
        #expect(await sinks[0].wait() == [.failed(.nonFiniteLogits(position: 2))])
        #expect(RecordingSink.tokens(await sinks[1].wait()).count == 6)
        await engine.drain()
        #expect(leases.allSatisfy { $0.releaseCount.load(ordering: .relaxed) == 1 })
        #expect(engine.statistics().failedCount == 1)
        #expect(engine.statistics().usedPageCount == 0)
    }
}
