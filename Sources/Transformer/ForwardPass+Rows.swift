import Kernels

extension ForwardPass {
    /// Root-mean-square norm of all rows, each with the gain of its plan.
    func normalize(
        _ slot: NormSlot, _ ranges: [PlanRange], from input: RowBuffer, to output: RowBuffer
    ) {
        let index = model.slots.index(of: slot)
        let epsilon = base.configuration.normEpsilon
        for range in ranges {
            guard let gain = range.views.gains[index] ?? model.views.gains[index] else { continue }
            forEachRowBlock(of: range.rows.count) { block in
                let first = range.rows.lowerBound + block.lowerBound
                Vectors.rmsNorm(
                    input: input.row(first), gain: gain, epsilon: epsilon,
                    rowCount: block.count, width: input.width, output: output.row(first))
            }
        }
    }

    /// The last norm of all rows' hidden states, into `normed`.
    func normalizeHidden() {
        normalize(.final, rows.plans, from: buffers.hidden, to: buffers.normed)
    }

    /// Turns queries and keys by their positions, and writes keys and values into their pages.
    func turnAndStore(_ rows: StepRows, layer: Int) {
        rotary.withTables { cosines, sines in
            rows.positions.withUnsafeBufferPointer { positions in
                attention.turnAndStore(
                    KeyValueStoring.Rotation(positions: positions, cosines: cosines, sines: sines),
                    layer: layer, pages: pageView, buffers: buffers, pool: pool)
            }
        }
    }

    /// Calls `body` for 0 ..< count on the workers of the pass, which are idle between two steps.
    package func concurrently(_ count: Int, _ body: (Int) -> Void) {
        pool.run(taskCount: count) { index, _ in body(index) }
    }

    /// Splits elementwise work on rows among the workers; few rows stay on the calling thread.
    func forEachRowBlock(of rowCount: Int, _ body: (Range<Int>) -> Void) {
        pool.forEachRowBlock(of: rowCount, body)
    }
}
