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
    /// By `LayerSteps.rotaries`.
    var rotaryTables: [RotaryTable]
    let rotarySpecs: [RotarySpec]
    let embeddingScale: Float
    let scalesEmbedding: Bool
    let scalesPrompts: Bool
    /// The row of the first token in the table of positions.
    let positionOffset: Int
    private let logitScale: Float
    private let logitCap: Float?
    let attention: StepAttention
    let linear: LinearStage
    private let bottlenecks: BottleneckStage
    let gating = GatingJob()
    /// Nil where no layer has experts.
    let expertRows: ExpertRows?
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
        expertRows = ExpertRows(base.configuration, rowCount: maximumRowCount, pool: pool)
        rotarySpecs = base.steps.rotaries
        rotaryTables = rotarySpecs.map { RotaryTable($0) }
        let spec = base.configuration
        embeddingScale = spec.embedding.scale
        scalesEmbedding = spec.embedding.scale != 1
        scalesPrompts = spec.embedding.scalesPrompts
        positionOffset = spec.embedding.positions?.offset ?? 0
        (logitScale, logitCap) = (spec.head.scale, spec.head.softCap)
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
                && model.slots.layerCount <= pages.layerCount)
        linear.base = model.views
        for index in rotaryTables.indices {
            rotaryTables[index].reserve(positionCount: rows.largestPosition + 1)
        }
        attention.prepare(slices, buffers: buffers)
        embed(slices, rows)
        isNarrowed = false
        let layerCount = model.slots.layerCount
        let narrows =
            narrowing && states == nil && rows.logitsRows.count < rows.count
            && !rows.plans.contains(where: \.isCall)
        for layer in 0..<layerCount {
            let step = model.steps.layers[layer]
            let next =
                layer + 1 < layerCount ? model.steps.layers[layer + 1].slots.projections : 0..<1
            injectStates(layer)
            attend(layer, step, narrowing: narrows && layer == layerCount - 1)
            if activeRowCount > 0 { feedForward(layer, step, next: next) }
            updateStates(layer)
        }
    }

    /// The plans of the rows that are still computed.
    var activePlans: [PlanRange] { isNarrowed ? rows.logitsPlans : rows.plans }
    var activeRowCount: Int { isNarrowed ? rows.logitsRows.count : rows.count }

    /// Moves the rows that get logits to the front; all later ones only needed their keys and
    /// values.
    private func narrow(_ step: LayerStep) {
        for (index, row) in rows.logitsRows.enumerated() where index != row {
            move(row, to: index, of: buffers.hidden)
            move(row, to: index, of: buffers.queries)
            if step.isParallel { move(row, to: index, of: buffers.normed) }
        }
        isNarrowed = true
    }

    private func move(_ row: Int, to place: Int, of buffer: RowBuffer) {
        buffer.row(place).update(from: buffer.row(row), count: buffer.width)
    }

    /// h += W_o · attention(norm(h)); what it adds is left in `projected` where the feed-forward
    /// part takes the same h.
    private func attend(_ layer: Int, _ step: LayerStep, narrowing: Bool) {
        let b = buffers
        let input = normalized(step.attentionNorm, rows.plans)
        project(step, from: input)
        if let norm = step.queryNorm { normalize(norm, rows.plans, from: b.queries, to: b.queries) }
        if let norm = step.keyNorm { normalize(norm, rows.plans, from: b.keys, to: b.keys) }
        turnAndStore(rows, layer: layer, rotary: step.rotary)
        if narrowing { narrow(step) }
        guard activeRowCount > 0 else { return }
        attention.run(
            layer: layer, rule: step.rule, pages: pageView, pool: pool, logitsRowsOnly: isNarrowed)
        addGatedPrefixes(layer, activePlans)
        linear.begin(input: b.attended, next: step.slots.firstOfFeedForward)
        linear.add(slot: step.slots.attentionOutput, to: b.projected)
        linear.run(activePlans)
        if let norm = step.attentionOutputNorm {
            normalize(norm, activePlans, from: b.projected, to: b.projected)
        }
        if step.isParallel, let norm = step.feedForwardNorm {
            normalize(norm, activePlans, from: b.hidden, to: b.normed)
        }
        addProjected(SublayerSlot(layer: layer, sublayer: .attention), step.residualScale)
    }

    /// The rows under a norm, in `normed`; the rows themselves without one.
    private func normalized(_ norm: NormStep?, _ plans: [PlanRange]) -> RowBuffer {
        guard let norm else { return buffers.hidden }
        normalize(norm, plans, from: buffers.hidden, to: buffers.normed)
        return buffers.normed
    }

    /// Queries, keys and values.
    private func project(_ step: LayerStep, from input: RowBuffer) {
        let b = buffers
        let first = step.slots.projections.lowerBound
        linear.begin(
            input: input, next: step.slots.attentionOutput..<step.slots.attentionOutput + 1)
        guard let order = step.fusedOrder else {
            linear.add(slot: first, to: b.queries)
            linear.add(slot: first + 1, to: b.keys)
            linear.add(slot: first + 2, to: b.values)
            return linear.run(rows.plans)
        }
        let fused = b.fused(width: b.queries.width + b.keys.width + b.values.width)
        linear.add(slot: first, to: fused)
        linear.run(rows.plans)
        switch order {
        case .blocks:
            cut(fused, from: 0, to: b.queries, rowCount: rows.count)
            cut(fused, from: b.queries.width, to: b.keys, rowCount: rows.count)
            cut(
                fused, from: b.queries.width + b.keys.width, to: b.values, rowCount: rows.count)
        case .groups: splitGroups(fused, rowCount: rows.count)
        }
    }

    /// h += s · what the sublayer made, as the plans' bottlenecks change it
    private func addProjected(_ slot: SublayerSlot, _ scale: Float) {
        bottlenecks.run(model.slots.index(of: slot), activePlans)
        let (hidden, projected) = (buffers.hidden, buffers.projected)
        forEachRowBlock(of: activeRowCount) { block in
            let (rows, target) = (
                projected.row(block.lowerBound), hidden.row(block.lowerBound)
            )
            let count = block.count * hidden.width
            if scale == 1 {
                Vectors.add(rows, to: target, count: count)
            } else {
                Vectors.add(rows, scaledBy: scale, to: target, count: count)
            }
        }
    }

    /// h += what the feed-forward part makes of norm(h)
    ///
    /// - Parameter next: the slots of the stage that follows.
    private func feedForward(_ layer: Int, _ step: LayerStep, next: Range<Int>) {
        let b = buffers
        let input =
            step.isParallel ? b.normed : normalized(step.feedForwardNorm, activePlans)
        if let experts = step.experts, let rows = expertRows {
            runExperts(experts, rows, step, from: input, next: next)
        } else {
            feedForward(step, from: input, next: next)
        }
        if let norm = step.feedForwardOutputNorm {
            normalize(norm, activePlans, from: b.projected, to: b.projected)
        }
        addProjected(SublayerSlot(layer: layer, sublayer: .feedForward), step.residualScale)
    }

    /// projected = W_down · (f(W_gate · x) ⊙ W_up · x) for all rows
    func feedForward(_ step: LayerStep, from input: RowBuffer, next: Range<Int>) {
        let b = buffers
        guard let inputs = step.inputs else { return }
        let (gate, up) = (b.gate.cut(to: step.width), b.up.cut(to: step.width))
        let first = step.slots.feedForward.lowerBound
        linear.begin(input: input, next: step.slots.down..<step.slots.down + 1)
        switch inputs {
        case .gated:
            linear.add(slot: first, to: gate)
            linear.add(slot: first + 1, to: up)
            linear.run(activePlans)
        case .fusedGated, .interleavedGated:
            let fused = b.fused(width: gate.width + up.width)
            linear.add(slot: first, to: fused)
            linear.run(activePlans)
            if inputs == .fusedGated {
                cut(fused, from: 0, to: gate, rowCount: activeRowCount)
                cut(fused, from: gate.width, to: up, rowCount: activeRowCount)
            } else {
                splitTurns(fused, rowCount: activeRowCount, into: gate, up)
            }
        case .plain:
            linear.add(slot: first, to: gate)
            linear.run(activePlans)
        }
        gating.run(
            .activation(step.activation), gate: gate, up: inputs == .plain ? nil : up,
            rowCount: activeRowCount, pool: pool)
        linear.begin(input: gate, next: next)
        linear.add(slot: step.slots.down, to: b.projected)
        linear.run(activePlans)
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
        normalize(model.steps.finalNorm, rows.logitsPlans, from: b.normed, to: b.final)
        linear.begin(
            input: b.final, next: model.steps.layers.first?.slots.projections ?? 0..<0)
        linear.add(
            slot: model.slots.index(of: .head),
            to: RowBuffer(pointer: b.logits.row(firstRow), width: b.logits.width))
        linear.run(rows.logitsPlans)
        finishLogits(from: firstRow)
    }

    /// The head's factor and cap.
    private func finishLogits(from firstRow: Int) {
        guard logitScale != 1 || logitCap != nil else { return }
        let b = buffers
        for row in firstRow..<firstRow + rows.logitsRows.count {
            let count = Int(b.logitCounts.pointer[row])
            if logitScale != 1 {
                Vectors.scale(b.logits.row(row), by: logitScale, count: count)
            }
            if let logitCap { Vectors.softCap(b.logits.row(row), at: logitCap, count: count) }
        }
    }
}
