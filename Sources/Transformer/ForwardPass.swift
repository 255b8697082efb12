public import Kernels

/// The forward pass of the base over the rows of many sequences, each under its adapters.
///
/// A row's logits depend on its own sequence and plan alone: every product runs in one fixed order
/// whatever shares the step, so batches, chunk sizes and thread counts change no bit.
///
/// Owned by the engine; not for use from several tasks.
public final class ForwardPass {
    public let base: BaseModel
    public let pages: KeyValuePagePool
    public let maximumRowCount: Int
    public let maximumLogitsRowCount: Int
    let pool: WorkerPool
    let buffers: StepBuffers
    var rotary: RotaryTable
    let attention: StepAttention

    /// - Parameters:
    ///   - maximumRowCount: rows of all slices together in one step, at most.
    ///   - maximumLogitsRowCount: rows that get logits in one step, at most.
    public init(
        base: BaseModel, pages: KeyValuePagePool, pool: WorkerPool, maximumRowCount: Int,
        maximumLogitsRowCount: Int
    ) {
        self.base = base
        self.pages = pages
        self.pool = pool
        self.maximumRowCount = maximumRowCount
        self.maximumLogitsRowCount = maximumLogitsRowCount
        buffers = StepBuffers(
            base.configuration, rowCount: maximumRowCount, logitsRowCount: maximumLogitsRowCount)
        rotary = RotaryTable(
            base.configuration.rotary, headDimension: base.configuration.headDimension)
        attention = StepAttention(shape: base.attentionShape)
    }

    /// Runs all layers over the slices' rows, writes their keys and values into the slices' pages,
    /// and returns the logits that were asked for.
    ///
    /// - Parameter slices: slices with the same plan instance stand side by side; a sequence has one
    ///   slice.
    public func step(_ slices: [StepSlice]) -> StepLogits {
        let rows = StepRows(slices)
        precondition(
            rows.count <= maximumRowCount && rows.logitsRows.count <= maximumLogitsRowCount)
        rotary.reserve(positionCount: rows.largestPosition + 1)
        attention.prepare(slices, buffers: buffers)
        embed(rows)
        for layer in 0..<base.configuration.layerCount {
            attend(layer, rows)
            feedForward(layer, rows)
        }
        return logits(rows)
    }

    /// h += W_o · attention(norm(h))
    private func attend(_ layer: Int, _ rows: StepRows) {
        let b = buffers
        normalize(.layer(layer, .attention), rows.plans, from: b.hidden, to: b.normed)
        project(.layer(layer, .query), rows.plans, from: b.normed, to: b.queries)
        project(.layer(layer, .key), rows.plans, from: b.normed, to: b.keys)
        project(.layer(layer, .value), rows.plans, from: b.normed, to: b.values)
        rotate(rows)
        attention.store(layer: layer, pages: pages, buffers: b)
        attention.run(layer: layer, pages: pages, pool: pool)
        project(
            .layer(layer, .attentionOutput), rows.plans, from: b.attended, to: b.hidden,
            accumulating: true)
    }

    /// h += W_down · (silu(W_gate · n) ⊙ W_up · n), n = norm(h)
    private func feedForward(_ layer: Int, _ rows: StepRows) {
        let b = buffers
        normalize(.layer(layer, .feedForward), rows.plans, from: b.hidden, to: b.normed)
        project(.layer(layer, .gate), rows.plans, from: b.normed, to: b.gate)
        project(.layer(layer, .up), rows.plans, from: b.normed, to: b.up)
        forEachRowBlock(of: rows.count) { block in
            Vectors.siluMultiply(
                gate: b.gate.pointer + block.lowerBound * b.gate.width,
                up: b.up.pointer + block.lowerBound * b.up.width,
                count: block.count * b.gate.width)
        }
        project(
            .layer(layer, .down), rows.plans, from: b.gate, to: b.hidden, accumulating: true)
    }

    /// Only rows that need logits reach the head.
    private func logits(_ rows: StepRows) -> StepLogits {
        let b = buffers
        for (index, row) in rows.logitsRows.enumerated() {
            (b.normed.pointer + index * b.normed.width).update(
                from: b.hidden.pointer + row * b.hidden.width, count: b.hidden.width)
        }
        if !rows.logitsRows.isEmpty {
            normalize(.final, rows.logitsPlans, from: b.normed, to: b.final)
            project(.head, rows.logitsPlans, from: b.final, to: b.logits)
        }
        return StepLogits(
            pointer: b.logits.pointer, rowCount: rows.logitsRows.count,
            vocabularyCount: b.logits.width)
    }
}
