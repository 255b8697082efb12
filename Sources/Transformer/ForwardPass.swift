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
    let pageView: KeyValuePageView
    public let maximumRowCount: Int
    public let maximumLogitsRowCount: Int
    let pool: WorkerPool
    let buffers: StepBuffers
    var rotary: RotaryTable
    let attention: StepAttention
    private let linear: LinearStage
    private let bottlenecks: BottleneckStage
    private let gating = GatingJob()
    let rows = StepRows()
    private let companions = CompanionPasses()
    /// What the rows at hand go through: the base, or the base with layers repeated.
    private(set) var model: BaseModel
    /// True from the last layer's attention on where only the rows that get logits went on: these
    /// then stand first in the buffers.
    private var isNarrowed = false

    /// - Parameters:
    ///   - maximumRowCount: rows of all slices together in one step, at most.
    ///   - maximumLogitsRowCount: rows that get logits in one step, at most.
    public convenience init(
        base: BaseModel, pages: KeyValuePagePool, pool: WorkerPool, maximumRowCount: Int,
        maximumLogitsRowCount: Int
    ) {
        self.init(
            base: base, pages: pages, pageView: pages.view, pool: pool,
            maximumRowCount: maximumRowCount, maximumLogitsRowCount: maximumLogitsRowCount)
    }

    /// - Parameter pageView: of `pages`, for models of another shape than the pool's own.
    init(
        base: BaseModel, pages: KeyValuePagePool, pageView: KeyValuePageView, pool: WorkerPool,
        maximumRowCount: Int, maximumLogitsRowCount: Int
    ) {
        self.base = base
        model = base
        self.pages = pages
        self.pageView = pageView
        self.pool = pool
        self.maximumRowCount = maximumRowCount
        self.maximumLogitsRowCount = maximumLogitsRowCount
        buffers = StepBuffers(
            base.configuration, rowCount: maximumRowCount, logitsRowCount: maximumLogitsRowCount)
        rotary = RotaryTable(
            base.configuration.rotary, headDimension: base.configuration.headDimension)
        attention = StepAttention(shape: base.attentionShape)
        linear = LinearStage(base: base.views, buffers: buffers, pool: pool)
        bottlenecks = BottleneckStage(buffers: buffers, pool: pool)
    }

    /// Runs all layers over the slices' rows, writes their keys and values into the slices' pages,
    /// and returns the logits that were asked for.
    ///
    /// Rows whose plan repeats layers go through them on their own.
    ///
    /// - Parameter slices: slices with the same plan instance stand side by side; a sequence has
    ///   one slice, or one for each plan, which follow each other in its tokens.
    public func step(_ slices: [StepSlice]) -> StepLogits {
        for slice in slices where slice.logitsRowCount > 0 {
            buffers.reserveLogits(width: slice.plan.vocabularyCount)
        }
        var logitsRowCount = 0
        var first = 0
        while first < slices.count {
            let model = slices[first].plan.repeatedBase ?? base
            var end = first + 1
            while end < slices.count, (slices[end].plan.repeatedBase ?? base) === model { end += 1 }
            let part = end - first == slices.count ? slices : Array(slices[first..<end])
            let states = companions.run(part, beside: self)
            runLayers(part, states, narrowing: true)
            precondition(logitsRowCount + rows.logitsRows.count <= maximumLogitsRowCount)
            addLogits(from: logitsRowCount, states)
            logitsRowCount += rows.logitsRows.count
            first = end
        }
        return StepLogits(
            pointer: buffers.logits.pointer, rowCount: logitsRowCount,
            stride: buffers.logits.width, counts: buffers.logitCounts.pointer)
    }

    /// Runs all layers over slices that go through the same ones, and leaves their last hidden rows
    /// in the buffers.
    ///
    /// - Parameters:
    ///   - states: of rows whose plans have companions; nil where none has.
    /// - narrowing: true where nobody needs the last hidden rows but those that get logits. Of all
    ///     others the last layer then computes keys and values only.
    func runLayers(
        _ slices: [StepSlice], _ states: CompanionPasses.States?, narrowing: Bool = false
    ) {
        model = slices.first?.plan.repeatedBase ?? base
        rows.prepare(slices, states)
        precondition(
            rows.count <= maximumRowCount
                && model.configuration.layerCount <= pages.layerCount)
        linear.base = model.views
        rotary.reserve(positionCount: rows.largestPosition + 1)
        attention.prepare(slices, buffers: buffers)
        embed(slices, rows)
        isNarrowed = false
        let layerCount = model.configuration.layerCount
        let narrows =
            narrowing && states == nil && rows.logitsRows.count < rows.count
            && !rows.plans.contains(where: \.isCall)
        for layer in 0..<layerCount {
            injectStates(layer)
            attend(layer, narrowing: narrows && layer == layerCount - 1)
            if activeRowCount > 0 { feedForward(layer) }
            updateStates(layer)
        }
    }

    /// The plans of the rows that are still computed.
    private var activePlans: [PlanRange] { isNarrowed ? rows.logitsPlans : rows.plans }
    private var activeRowCount: Int { isNarrowed ? rows.logitsRows.count : rows.count }

    /// Moves the rows that get logits to the front; all later ones only needed their keys and
    /// values.
    private func narrow() {
        for (index, row) in rows.logitsRows.enumerated() where index != row {
            move(row, to: index, of: buffers.hidden)
            move(row, to: index, of: buffers.queries)
        }
        isNarrowed = true
    }

    private func move(_ row: Int, to place: Int, of buffer: RowBuffer) {
        buffer.row(place).update(from: buffer.row(row), count: buffer.width)
    }

    private func slot(_ layer: Int, _ role: LinearRole) -> Int {
        model.slots.index(of: .layer(layer, role))
    }

    /// h += W_o · attention(norm(h))
    private func attend(_ layer: Int, narrowing: Bool) {
        let b = buffers
        normalize(.layer(layer, .attention), rows.plans, from: b.hidden, to: b.normed)
        linear.begin(input: b.normed)
        linear.add(slot: slot(layer, .query), to: b.queries)
        linear.add(slot: slot(layer, .key), to: b.keys)
        linear.add(slot: slot(layer, .value), to: b.values)
        linear.run(rows.plans)
        turnAndStore(rows, layer: layer)
        if narrowing { narrow() }
        guard activeRowCount > 0 else { return }
        attention.run(layer: layer, pages: pageView, pool: pool, logitsRowsOnly: isNarrowed)
        addGatedPrefixes(layer, activePlans)
        linear.begin(input: b.attended)
        linear.add(slot: slot(layer, .attentionOutput), to: b.projected)
        linear.run(activePlans)
        addProjected(SublayerSlot(layer: layer, sublayer: .attention))
    }

    /// h += what the sublayer made, as the plans' bottlenecks change it
    private func addProjected(_ slot: SublayerSlot) {
        bottlenecks.run(model.slots.index(of: slot), activePlans)
        let (hidden, projected) = (buffers.hidden, buffers.projected)
        forEachRowBlock(of: activeRowCount) { block in
            Vectors.add(
                projected.row(block.lowerBound), to: hidden.row(block.lowerBound),
                count: block.count * hidden.width)
        }
    }

    /// h += W_down · (silu(W_gate · n) ⊙ W_up · n), n = norm(h)
    private func feedForward(_ layer: Int) {
        let b = buffers
        normalize(.layer(layer, .feedForward), activePlans, from: b.hidden, to: b.normed)
        linear.begin(input: b.normed)
        linear.add(slot: slot(layer, .gate), to: b.gate)
        linear.add(slot: slot(layer, .up), to: b.up)
        linear.run(activePlans)
        gating.run(gate: b.gate, up: b.up, rowCount: activeRowCount, pool: pool)
        linear.begin(input: b.gate)
        linear.add(slot: slot(layer, .down), to: b.projected)
        linear.run(activePlans)
        addProjected(SublayerSlot(layer: layer, sublayer: .feedForward))
    }

    /// Only rows that need logits reach the head.
    private func addLogits(from firstRow: Int, _ states: CompanionPasses.States?) {
        guard !rows.logitsRows.isEmpty else { return }
        let b = buffers
        for range in rows.logitsPlans {
            for row in range.rows {
                b.logitCounts.pointer[firstRow + row] = Int32(range.vocabularyCount)
            }
        }
        for (index, row) in rows.logitsRows.enumerated() {
            b.normed.row(index).update(
                from: b.hidden.row(isNarrowed ? index : row), count: b.hidden.width)
        }
        states?.gather(rows.logitsRows)
        normalize(.final, rows.logitsPlans, from: b.normed, to: b.final)
        linear.begin(input: b.final)
        linear.add(
            slot: model.slots.index(of: .head),
            to: RowBuffer(pointer: b.logits.row(firstRow), width: b.logits.width))
        linear.run(rows.logitsPlans)
    }
}
