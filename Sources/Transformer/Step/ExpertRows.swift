import Kernels

/// The rows of a layer's experts and what is made of them, for the largest step.
final class ExpertRows {
    /// [rows, experts]
    let logits: RowBuffer
    /// [rows, 1]
    let sharedGates: RowBuffer
    /// Copies of rows, by expert; then what their experts make of them.
    let gathered: RowBuffer
    /// [copies, width of the experts]
    let gate: RowBuffer
    let up: RowBuffer
    /// [copies, twice that]
    let fused: RowBuffer
    var routing: ExpertRouting
    private let storages: [AlignedBuffer<Float>]
    private var states = AlignedBuffer<Float>(count: 0)
    private let pool: WorkerPool

    /// Nil where no layer has experts.
    init?(_ spec: DecoderSpec, rowCount: Int, pool: WorkerPool) {
        let layers = spec.layers.compactMap(\.feedForward.experts)
        guard !layers.isEmpty else { return nil }
        func most(_ value: (ExpertsSpec) -> Int) -> Int { layers.map(value).max() ?? 0 }
        let copyCount = rowCount * most(\.topCount)
        let width = most(\.width)
        let fusedWidth = most { experts in
            switch experts.experts.first?.inputs {
            case .fusedGated, .interleavedGated: 2 * experts.width
            case .gated, .plain, nil: 0
            }
        }
        var storages: [AlignedBuffer<Float>] = []
        func buffer(_ rowCount: Int, _ width: Int) -> RowBuffer {
            let storage = AlignedBuffer<Float>(count: max(1, rowCount * width), isSparse: true)
            storages.append(storage)
            return RowBuffer(pointer: storage.pointer, width: width)
        }
        logits = buffer(rowCount, most(\.experts.count))
        sharedGates = buffer(rowCount, 1)
        gathered = buffer(copyCount, spec.hiddenSize)
        gate = buffer(copyCount, width)
        up = buffer(copyCount, width)
        fused = buffer(copyCount, fusedWidth)
        routing = ExpertRouting(copyCount: copyCount)
        self.storages = storages
        self.pool = pool
    }

    /// Copies of the rows, and of their companions' states, by expert.
    func gather(_ input: RowBuffer) {
        let copyCount = routing.plans.last?.rows.upperBound ?? 0
        copy(input, to: gathered, copyCount)
        guard let first = routing.plans.first(where: { $0.states != nil })?.states else { return }
        if states.count < copyCount * first.width {
            states = AlignedBuffer(count: 2 * copyCount * first.width)
        }
        let own = RowBuffer(pointer: states.pointer, width: first.width)
        copy(first, to: own, copyCount)
        routing.takeStates(from: own)
    }

    private func copy(_ input: RowBuffer, to output: RowBuffer, _ copyCount: Int) {
        let sources = routing.sources.pointer
        pool.forEachRowBlock(of: copyCount) { block in
            for copy in block {
                output.row(copy).update(from: input.row(Int(sources[copy])), count: output.width)
            }
        }
    }

    /// y += Σ weight · what an expert made, in ascending order of a row's experts
    func scatter(to output: RowBuffer, rowCount: Int, topCount: Int) {
        let (places, weights) = (routing.places.pointer, routing.weights.pointer)
        let gathered = gathered
        pool.forEachRowBlock(of: rowCount) { block in
            for row in block {
                for copy in row * topCount..<(row + 1) * topCount {
                    Vectors.add(
                        gathered.row(Int(places[copy])), scaledBy: weights[copy],
                        to: output.row(row), count: output.width)
                }
            }
        }
    }
}
