import Kernels

/// Projections of the same rows: the frozen weights once for all of them, then what each plan adds at
/// its own rank.
///
/// Two jobs of the worker pool, whatever the number of projections and plans: all frozen products and
/// every A·x; then every B·(A·x). A mix adds its second operator in a third, and so on, so that
/// each output has one order of additions. Rows whose plan leaves a slot alone have no part in it.
final class LinearStage {
    private struct Projection: BitwiseCopyable {
        var slot: Int
        var output: RowBuffer
        var accumulating: Bool
    }

    private let base: PlanViews
    private let batch: ProductBatch
    private let buffers: StepBuffers
    private var input: RowBuffer
    private var projections: [Projection] = []

    init(base: PlanViews, buffers: StepBuffers, pool: WorkerPool) {
        self.base = base
        self.buffers = buffers
        batch = ProductBatch(pool: pool)
        input = buffers.normed
    }

    /// Names the rows that the next projections take.
    func begin(input: RowBuffer) {
        self.input = input
        projections.removeAll(keepingCapacity: true)
    }

    /// - Parameter slot: by `SlotTable.index(of: LinearSlot)`.
    func add(slot: Int, to output: RowBuffer, accumulating: Bool = false) {
        projections.append(Projection(slot: slot, output: output, accumulating: accumulating))
    }

    /// Computes all projections.
    ///
    /// - Parameter ranges: the plans of rows 0 ..< n of input and outputs, without gaps.
    func run(_ ranges: [PlanRange]) {
        guard let rowCount = ranges.last?.rows.upperBound else { return }
        batch.begin(
            input: input.pointer, rowCount: rowCount, stride: input.width, width: input.width)
        var floatCount = 0
        var depth = 0
        for projection in projections {
            addFrozen(projection, ranges)
            for range in ranges {
                let view = range.views.linear[projection.slot]
                depth = max(depth, view.lowRankCount)
                for index in 0..<view.lowRankCount {
                    floatCount += range.rows.count * view.lowRanks![index].rank
                }
            }
        }
        let products = buffers.lowRank(floatCount: floatCount)
        forEachLowRank(ranges) { lowRank, _, range, _, place in
            batch.add(
                lowRank.a, rows: range.rows, output: products + place,
                outputStride: lowRank.rank, scale: lowRank.scaling)
        }
        batch.run()
        for projection in projections { addBiases(projection, ranges) }
        for turn in 0..<depth { expand(turn, ranges, products) }
    }

    /// y = W x for runs of rows that have the same matrix at the slot.
    private func addFrozen(_ projection: Projection, _ ranges: [PlanRange]) {
        var start = 0
        while start < ranges.count {
            let view = ranges[start].views.linear[projection.slot]
            var end = start + 1
            while end < ranges.count,
                ranges[end].views.linear[projection.slot].hasMatrix(of: view)
            {
                end += 1
            }
            let rows = ranges[start].rows.lowerBound..<ranges[end - 1].rows.upperBound
            if let matrix = view.matrix ?? base.linear[projection.slot].matrix {
                batch.add(
                    matrix, rows: rows, output: projection.output.row(rows.lowerBound),
                    outputStride: projection.output.width, accumulating: projection.accumulating)
            }
            start = end
        }
    }

    private func addBiases(_ projection: Projection, _ ranges: [PlanRange]) {
        let frozen = base.linear[projection.slot].matrixBias
        for range in ranges {
            let view = range.views.linear[projection.slot]
            let bias = view.matrix == nil ? frozen : view.matrixBias
            guard bias != nil || view.bias != nil else { continue }
            for row in range.rows {
                let output = projection.output.row(row)
                if let bias { Vectors.add(bias, to: output, count: projection.output.width) }
                if let own = view.bias {
                    Vectors.add(own, to: output, count: projection.output.width)
                }
            }
        }
    }

    /// y += B (A x) for the operators whose turn it is.
    private func expand(
        _ turn: Int, _ ranges: [PlanRange], _ products: UnsafeMutablePointer<Float>
    ) {
        forEachLowRank(ranges) { lowRank, index, range, projection, place in
            guard index == turn else { return }
            batch.add(
                lowRank.b, input: products + place, rowCount: range.rows.count,
                inputStride: lowRank.rank,
                output: projection.output.row(range.rows.lowerBound),
                outputStride: projection.output.width, accumulating: true)
        }
        batch.run()
    }

    /// Calls `body` with every low-rank operator, its index within its plan's slot, and where its
    /// products A·x lie.
    private func forEachLowRank(
        _ ranges: [PlanRange],
        _ body: (LowRankView, Int, PlanRange, Projection, Int) -> Void
    ) {
        var place = 0
        for projection in projections {
            for range in ranges {
                let view = range.views.linear[projection.slot]
                for index in 0..<view.lowRankCount {
                    let lowRank = view.lowRanks![index]
                    body(lowRank, index, range, projection, place)
                    place += range.rows.count * lowRank.rank
                }
            }
        }
    }
}
