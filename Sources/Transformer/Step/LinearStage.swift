import Kernels

/// Projections of the same rows: the frozen weights once for all of them, then what each plan adds
/// at its own rank.
///
/// Two jobs of the worker pool, whatever the number of projections and plans: all frozen products
/// and every A·x; then every B·(A·x). A mix adds its second operator in a third, and so on, so that
/// each output has one order of additions. Maps of rows run in jobs of their own, only where there
/// are any. Rows whose plan leaves a slot alone have no part in it.
///
/// Where a plan changes the input of a slot, the projection takes a copy of all rows with those of
/// the plan changed: still one product with the frozen weights.
final class LinearStage {
    private struct Projection {
        var slot: Int
        var output: RowBuffer
        /// The plans of the rows that it takes, by their place among those of a run; nil: all.
        var own: Range<Int>?
        /// How far behind the rows the copy of them lies that it takes; nil: the rows themselves.
        var shift: Int?

        func plans(_ ranges: [PlanRange]) -> Range<Int> { own ?? 0..<ranges.count }
    }

    /// A low-rank operator on rows of one plan.
    private struct LowRankUse {
        let operation: UnsafePointer<LowRankView>
        /// Its place among those of the plan at the slot.
        let index: Int
        let rows: Range<Int>
        let output: RowBuffer
        /// Where its products A·x lie.
        let place: Int
    }

    /// Slots whose operators are fetched ahead: as many as a stage may have.
    private static let fetchedSlotCount = 3

    /// What stands at the slots where plans leave them alone.
    var base: PlanViews
    /// All frozen products and every A·x.
    private let batch: ProductBatch
    /// Every B·(A·x) of a turn.
    private let expansions: ProductBatch
    private let pool: WorkerPool
    private let buffers: StepBuffers
    private let maps: RowMapJob
    private let calls: CallStates
    private var input: RowBuffer
    private var projections: [Projection] = []
    /// The slots of the next stage.
    private var next = 0..<0
    private var lowRankUses: [LowRankUse] = []
    private var upcoming: [PackedView] = []

    init(base: PlanViews, buffers: StepBuffers, pool: WorkerPool) {
        self.base = base
        self.pool = pool
        self.buffers = buffers
        batch = ProductBatch(pool: pool)
        expansions = ProductBatch(pool: pool)
        maps = RowMapJob(pool: pool)
        calls = CallStates(pool: pool)
        input = buffers.normed
    }

    /// Names the rows that the next projections take.
    ///
    /// - Parameter next: the slots of the stage that follows.
    func begin(input: RowBuffer, next: Range<Int>) {
        self.input = input
        self.next = next
        projections.removeAll(keepingCapacity: true)
    }

    /// - Parameters:
    ///   - slot: by `SlotTable.index(of: LinearSlot)`.
    ///   - plans: of the rows that it takes, by their place among those that `run` gets; nil: all.
    func add(slot: Int, to output: RowBuffer, plans: Range<Int>? = nil) {
        projections.append(Projection(slot: slot, output: output, own: plans))
    }

    /// Computes all projections.
    ///
    /// - Parameter ranges: the plans of rows 0 ..< n of input and outputs, without gaps.
    func run(_ ranges: [PlanRange]) {
        guard let rowCount = ranges.last?.rows.upperBound else { return }
        let extent = survey(ranges)
        let (rows, copiedRowCount) =
            extent.hasMaps
            ? changedInput(ranges, rowCount: rowCount) : (input.pointer, copiedRowCount: 0)
        batch.begin(
            input: rows, rowCount: rowCount + copiedRowCount, stride: input.width,
            width: input.width)
        for projection in projections {
            addFrozen(projection, ranges, firstRow: projection.shift ?? 0)
        }
        let products = buffers.lowRank(floatCount: extent.floatCount + extent.outputCount)
        let own = extent.outputCount > 0 ? products + extent.floatCount : nil
        contract(products)
        announceNextMatrices()
        batch.run {
            addExpansions(0, products, own: own)
            if extent.depth > 0 { fetchNextOperators(ranges) }
        }
        if own != nil { scaleInner(products) }
        if extent.hasMaps { runMaps(.output, ranges) }
        for projection in projections { addBiases(projection, ranges) }
        for turn in 0..<extent.depth {
            if turn > 0 { addExpansions(turn, products, own: own) }
            expansions.run()
            if let own { addScaled(turn, own) }
        }
        if extent.hasMaps { runMaps(.update, ranges) }
    }

    /// What the plans add to the frozen products.
    private struct Extent {
        /// Products A·x.
        var floatCount = 0
        /// Products B·(A·x) that meet factors before they are added.
        var outputCount = 0
        /// Low-rank operators of a plan at a slot, at most.
        var depth = 0
        var hasMaps = false
    }

    /// Looks once at what stands at all slots: views of many plans are far apart in memory.
    private func survey(_ ranges: [PlanRange]) -> Extent {
        var extent = Extent()
        lowRankUses.removeAll(keepingCapacity: true)
        for projection in projections {
            for index in projection.plans(ranges) {
                let range = ranges[index]
                let view = range.views.linear.pointer + projection.slot
                if view.pointee.mapCount > 0 { extent.hasMaps = true }
                guard let operations = view.pointee.lowRanks else { continue }
                extent.depth = max(extent.depth, view.pointee.lowRankCount)
                for index in 0..<view.pointee.lowRankCount {
                    let operation = operations + index
                    lowRankUses.append(
                        LowRankUse(
                            operation: operation, index: index, rows: range.rows,
                            output: projection.output, place: extent.floatCount))
                    extent.floatCount += range.rows.count * operation.pointee.rank
                    if operation.pointee.factors != nil {
                        extent.outputCount +=
                            range.rows.count * operation.pointee.b.outputCount
                    }
                }
            }
        }
        return extent
    }

    /// Has the first operators at the next slots brought near while workers compute: by the time
    /// that they are needed, weights have pushed them out of the caches.
    private func fetchNextOperators(_ ranges: [PlanRange]) {
        for range in ranges {
            let views = range.views.linear
            let first = next.lowerBound
            for slot in first..<min(first + Self.fetchedSlotCount, views.count) {
                if let operations = views.pointer[slot].lowRanks { Prefetch.value(operations) }
            }
        }
    }

    /// Lets workers who wait fetch the matrices of the next stage.
    private func announceNextMatrices() {
        upcoming.removeAll(keepingCapacity: true)
        for slot in next {
            if let matrix = base.linear[slot].matrix { upcoming.append(matrix) }
        }
        pool.announce(upcoming)
    }

    /// Adds A x of all low-rank operators to the batch.
    private func contract(_ products: UnsafeMutablePointer<Float>) {
        for use in lowRankUses {
            let operation = use.operation.pointee
            let target = products + use.place
            if let a = operation.a {
                batch.add(
                    a, rows: use.rows, output: target, outputStride: operation.rank,
                    scale: operation.scaling)
            } else {
                copyScaled(use.rows, by: operation.scaling, to: target)
            }
        }
    }

    /// The rows that the products take: the input itself; or, where some plan changes the input of
    /// a slot, a copy of it, followed by one of its own rows for each such projection.
    private func changedInput(
        _ ranges: [PlanRange], rowCount: Int
    ) -> (UnsafeMutablePointer<Float>, copiedRowCount: Int) {
        var count = rowCount
        for index in projections.indices {
            let (slot, plans) = (projections[index].slot, projections[index].plans(ranges))
            guard plans.contains(where: { ranges[$0].views.linear[slot].hasMap(at: .input) }) else {
                continue
            }
            let own = Self.rows(of: plans, ranges)
            projections[index].shift = count - own.lowerBound
            count += own.count
        }
        guard count > rowCount else { return (input.pointer, 0) }
        let rows = buffers.changed(floatCount: count * input.width)
        rows.update(from: input.pointer, count: rowCount * input.width)
        for projection in projections {
            guard let shift = projection.shift else { continue }
            let plans = projection.plans(ranges)
            let (own, copy) = (Self.rows(of: plans, ranges), rows + shift * input.width)
            (copy + own.lowerBound * input.width).update(
                from: input.row(own.lowerBound), count: own.count * input.width)
            for index in plans {
                let range = ranges[index]
                let offset = range.rows.lowerBound * input.width
                maps.add(
                    range.views.linear[projection.slot], .input, rowCount: range.rows.count,
                    input: input.pointer + offset, inputStride: input.width,
                    output: copy + offset, outputStride: input.width, state: range.firstState)
            }
        }
        maps.run()
        return (rows, count - rowCount)
    }

    /// Those of neighbouring plans.
    private static func rows(of plans: Range<Int>, _ ranges: [PlanRange]) -> Range<Int> {
        ranges[plans.lowerBound].rows.lowerBound..<ranges[plans.upperBound - 1].rows.upperBound
    }

    private func runMaps(_ places: RowMapJob.Places, _ ranges: [PlanRange]) {
        for projection in projections {
            for index in projection.plans(ranges) {
                let range = ranges[index]
                let view = range.views.linear[projection.slot]
                guard view.mapCount > 0 else { continue }
                let state = range.isCall ? callState(view, range) : range.firstState
                maps.add(
                    view, places, rowCount: range.rows.count,
                    input: input.row(range.rows.lowerBound), inputStride: input.width,
                    output: projection.output.row(range.rows.lowerBound),
                    outputStride: projection.output.width, state: state)
            }
        }
        maps.run()
        calls.removeAll()
    }

    private func callState(
        _ view: LinearView, _ range: PlanRange
    ) -> (first: UnsafePointer<Float>, stride: Int)? {
        calls.state(
            of: view, rowCount: range.rows.count, input: input.row(range.rows.lowerBound),
            inputStride: input.width)
    }

    private func copyScaled(
        _ rows: Range<Int>, by scale: Float, to target: UnsafeMutablePointer<Float>
    ) {
        let count = rows.count * input.width
        target.update(from: input.row(rows.lowerBound), count: count)
        if scale != 1 { Vectors.scale(target, by: scale, count: count) }
    }

    /// y = W x for runs of rows that have the same matrix at the slot.
    private func addFrozen(
        _ projection: Projection, _ ranges: [PlanRange], firstRow: Int
    ) {
        let plans = projection.plans(ranges)
        var start = plans.lowerBound
        while start < plans.upperBound {
            let view = ranges[start].views.linear[projection.slot]
            var end = start + 1
            while end < plans.upperBound,
                ranges[end].views.linear[projection.slot].hasMatrix(of: view)
            {
                end += 1
            }
            let rows = ranges[start].rows.lowerBound..<ranges[end - 1].rows.upperBound
            if let matrix = view.matrix ?? base.linear[projection.slot].matrix {
                batch.add(
                    matrix, rows: firstRow + rows.lowerBound..<firstRow + rows.upperBound,
                    output: projection.output.row(rows.lowerBound),
                    outputStride: projection.output.width, accumulating: false)
            }
            start = end
        }
        for index in plans {
            let range = ranges[index]
            guard let extra = range.views.linear[projection.slot].extraOutputs else { continue }
            let ownCount = base.linear[projection.slot].outputCount
            batch.add(
                extra, rows: firstRow + range.rows.lowerBound..<firstRow + range.rows.upperBound,
                output: projection.output.row(range.rows.lowerBound) + ownCount,
                outputStride: projection.output.width, accumulating: false)
        }
    }

    private func addBiases(_ projection: Projection, _ ranges: [PlanRange]) {
        let frozen = base.linear[projection.slot].matrixBias
        for index in projection.plans(ranges) {
            let range = ranges[index]
            let view = range.views.linear[projection.slot]
            let bias = view.matrix == nil ? frozen : view.matrixBias
            guard bias != nil || view.bias != nil else { continue }
            let count = view.matrix?.outputCount ?? base.linear[projection.slot].outputCount
            for row in range.rows {
                let output = projection.output.row(row)
                if let bias { Vectors.add(bias, to: output, count: count) }
                if let own = view.bias { Vectors.add(own, to: output, count: count) }
            }
        }
    }

    /// i ⊙ A x where an operator has such factors.
    private func scaleInner(_ products: UnsafeMutablePointer<Float>) {
        for use in lowRankUses {
            guard let inner = use.operation.pointee.factors?.inner else { continue }
            let rank = use.operation.pointee.rank
            for row in 0..<use.rows.count {
                let product = products + use.place + row * rank
                for index in 0..<rank { product[index] *= inner[index] }
            }
        }
    }

    /// Adds y += B (A x) of the operators whose turn it is to their batch.
    ///
    /// - Parameter own: room for B (A x) of operators with factors of outputs, which those meet
    ///   before it is added; nil where no operator has any.
    private func addExpansions(
        _ turn: Int, _ products: UnsafeMutablePointer<Float>, own: UnsafeMutablePointer<Float>?
    ) {
        var free = own ?? products
        for use in lowRankUses where use.index == turn {
            let operation = use.operation.pointee
            let isDirect = operation.factors == nil
            expansions.add(
                operation.b, input: products + use.place, rowCount: use.rows.count,
                inputStride: operation.rank,
                output: isDirect ? use.output.row(use.rows.lowerBound) : free,
                outputStride: isDirect ? use.output.width : operation.b.outputCount,
                accumulating: isDirect)
            if !isDirect { free += use.rows.count * operation.b.outputCount }
        }
    }

    /// y += o ⊙ B (A x) for the operators of a turn that have such factors.
    private func addScaled(_ turn: Int, _ own: UnsafeMutablePointer<Float>) {
        var free = own
        for use in lowRankUses where use.index == turn {
            guard let outer = use.operation.pointee.factors?.outer else { continue }
            let width = use.operation.pointee.b.outputCount
            for row in use.rows {
                Vectors.add(free, times: outer, scaledBy: 1, to: use.output.row(row), count: width)
                free += width
            }
        }
    }
}
