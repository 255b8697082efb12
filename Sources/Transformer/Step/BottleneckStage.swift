import Kernels

/// The bottlenecks of a sublayer for all rows whose plan has one: two jobs of products, whatever
/// the number of plans. Other rows have no part in it.
final class BottleneckStage {
    private let batch: ProductBatch
    private let buffers: StepBuffers
    private let pool: WorkerPool

    init(buffers: StepBuffers, pool: WorkerPool) {
        batch = ProductBatch(pool: pool)
        self.buffers = buffers
        self.pool = pool
    }

    /// Changes what the sublayer made, which is in `projected`, before `hidden` takes it.
    ///
    /// - Parameters:
    ///   - slot: by `SlotTable.index(of: SublayerSlot)`.
    ///   - ranges: the plans of all rows.
    func run(_ slot: Int, _ ranges: [PlanRange]) {
        var widthSum = 0
        forEachBottleneck(slot, ranges) { bottleneck, rows, _ in
            widthSum += rows.count * bottleneck.width
        }
        guard widthSum > 0, let rowCount = ranges.last?.rows.upperBound else { return }
        let (hidden, projected) = (buffers.hidden, buffers.projected)
        let floatCount = rowCount * hidden.width
        let storage = buffers.changed(floatCount: 2 * floatCount)
        let inputs = RowBuffer(pointer: storage, width: hidden.width)
        let outputs = RowBuffer(pointer: storage + floatCount, width: hidden.width)
        let products = buffers.lowRank(floatCount: widthSum)
        forEachRow(slot, ranges) { bottleneck, row, _ in
            bottleneck.prepare(
                output: projected.row(row), stream: hidden.row(row), input: inputs.row(row))
        }
        batch.begin(
            input: inputs.pointer, rowCount: rowCount, stride: inputs.width, width: inputs.width)
        forEachBottleneck(slot, ranges) { bottleneck, rows, place in
            batch.add(
                bottleneck.network.down.view, rows: rows, output: products + place,
                outputStride: bottleneck.width, scale: 1)
        }
        batch.run()
        forEachRow(slot, ranges) { bottleneck, _, place in bottleneck.activate(products + place) }
        forEachBottleneck(slot, ranges) { bottleneck, rows, place in
            batch.add(
                bottleneck.network.up.view, input: products + place, rowCount: rows.count,
                inputStride: bottleneck.width, output: outputs.row(rows.lowerBound),
                outputStride: outputs.width, accumulating: false)
        }
        batch.run()
        forEachRow(slot, ranges) { bottleneck, row, _ in
            bottleneck.finish(
                outputs.row(row), output: projected.row(row), stream: hidden.row(row))
        }
    }

    /// Calls `body` with every plan's bottleneck, its rows, and where their products lie.
    private func forEachBottleneck(
        _ slot: Int, _ ranges: [PlanRange], _ body: (Bottleneck, Range<Int>, Int) -> Void
    ) {
        var place = 0
        for range in ranges {
            range.views.bottleneck(slot)?._withUnsafeGuaranteedRef {
                body($0, range.rows, place)
                place += range.rows.count * $0.width
            }
        }
    }

    /// Calls `body` with every row that has a bottleneck, and where its products lie.
    private func forEachRow(
        _ slot: Int, _ ranges: [PlanRange], _ body: (Bottleneck, Int, Int) -> Void
    ) {
        forEachBottleneck(slot, ranges) { bottleneck, rows, place in
            pool.forEachRowBlock(of: rows.count) { block in
                for offset in block {
                    body(bottleneck, rows.lowerBound + offset, place + offset * bottleneck.width)
                }
            }
        }
    }
}
