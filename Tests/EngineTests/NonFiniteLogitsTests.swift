import Engine
import Kernels
import Synchronization
import Testing
import Transformer

/// The forward pass with rows of one token spoilt.
private final class SpoilingRunner: StepRunner {
    let forward: ForwardPass
    let token: Int32

    init(_ forward: ForwardPass, token: Int32) {
        self.forward = forward
        self.token = token
    }

    func step(_ slices: [StepSlice]) -> StepLogits {
        let logits = forward.step(slices)
        var row = 0
        for slice in slices {
            for spoilt in slice.tokens[slice.firstLogitsRow...] {
                if spoilt == token { logits.row(row)[5] = .nan }
                row += 1
            }
        }
        return logits
    }
}

@Suite struct NonFiniteLogitsTests {
    @Test func oneRequestFailsAndTheOthersGoOn() async throws {
        let configuration = EngineConfiguration()
        let shape = TinyBase.model.attentionShape
        let bounds = RequestBounds(
            contextCount: 256, pageCount: 64,
            pageTokenCount: Attention.pageTokenCount, layerCount: 2)
        let engine = GenerationEngine(configuration: configuration, bounds: bounds) {
            let pages = KeyValuePagePool(pageCount: 64, layerCount: 2, shape: shape)
            let forward = ForwardPass(
                base: TinyBase.model, pages: pages, pool: TinyBase.pool,
                maximumRowCount: configuration.maximumRowCount,
                maximumLogitsRowCount: configuration.maximumLogitsRowCount)
            return (SpoilingRunner(forward, token: 95), pages)
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
