import Kernels

/// Projections of the same rows: the frozen weights once for all of them, then what each plan adds at
/// its own rank.
///
/// Two jobs of the worker pool, whatever the number of projections and plans: all frozen products and
/// every A·x; then every B·(A·x). A mix adds its second operator in a third, and so on, so that
/// each output has one order of additions. Maps of rows run in jobs of their own, only where there
/// are any. Rows whose plan leaves a slot alone have no part in it.
///
/// Where a plan changes the input of a slot, the projection takes a copy of all rows with those of
/// the plan changed: still one product with the frozen weights.
final class LinearStage {
    private struct Projection: BitwiseCopyable {
        var slot: Int
        var output: RowBuffer
        /// Which copy of the rows it takes; 0 are the rows themselves.
        var copy = 0
    }

    /// What stands at the slots where plans leave them alone.
    var base: PlanViews
    private let batch: ProductBatch
    private let buffers: StepBuffers
    private let maps: RowMapJob
    private let calls: CallStates
    private var input: RowBuffer
    private var projections: [Projection] = []

    init(base: PlanViews, buffers: StepBuffers, pool: WorkerPool) {
        self.base = base
        self.buffers = buffers
        batch = ProductBatch(pool: pool)
        maps = RowMapJob(pool: pool)
        calls = CallStates(pool: pool)
        input = buffers.normed
    }

    /// Names the rows that the next projections take.
    func begin(input: RowBuffer) {
        self.input = input
        projections.removeAll(keepingCapacity: true)
    }

    /// - Parameter slot: by `SlotTable.index(of: LinearSlot)`.
    func add(slot: Int, to output: RowBuffer) {
        projections.append(Projection(slot: slot, output: output))
    }

    /// Computes all projections.
    ///
    /// - Parameter ranges: the plans of rows 0 ..< n of input and outputs, without gaps.
    func run(_ ranges: [PlanRange]) {
        guard let rowCount = ranges.last?.rows.upperBound else { return }
        let (rows, copyCount) = changedInput(ranges, rowCount: rowCount)
        batch.begin(
            input: rows, rowCount: rowCount * (1 + copyCount), stride: input.width,
            width: input.width)
        for projection in projections {
            addFrozen(projection, ranges, firstRow: projection.copy * rowCount)
        }
        let extent = extent(ranges)
        let products = buffers.lowRank(floatCount: extent.floatCount + extent.outputCount)
        if extent.depth > 0 { contract(ranges, products) }
        batch.run()
        if extent.outputCount > 0 { scaleInner(ranges, products) }
        if extent.hasMaps { runMaps(.output, ranges) }
        for projection in projections { addBiases(projection, ranges) }
        for turn in 0..<extent.depth {
            expand(
                turn, ranges, products,
                own: extent.outputCount > 0 ? products + extent.floatCount : nil)
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

    private func extent(_ ranges: [PlanRange]) -> Extent {
        var extent = Extent()
        for projection in projections {
            for range in ranges {
                let view = range.views.linear[projection.slot]
                extent.depth = max(extent.depth, view.lowRankCount)
                if view.mapCount > 0 { extent.hasMaps = true }
                for index in 0..<view.lowRankCount {
                    let lowRank = view.lowRanks![index]
                    extent.floatCount += range.rows.count * lowRank.rank
                    if lowRank.factors != nil {
                        extent.outputCount += range.rows.count * lowRank.b.outputCount
                    }
                }
            }
        }
        return extent
    }

    /// Adds A x of all low-rank operators to the batch.
    private func contract(_ ranges: [PlanRange], _ products: UnsafeMutablePointer<Float>) {
        forEachLowRank(ranges) { lowRank, _, range, _, place in
            guard let a = lowRank.a else {
                return copyScaled(range.rows, by: lowRank.scaling, to: products + place)
            }
            batch.add(
                a, rows: range.rows, output: products + place,
                outputStride: lowRank.rank, scale: lowRank.scaling)
        }
    }

    /// The rows that the products take: the input itself; or, where some plan changes the input of a
    /// slot, a copy of it, followed by one for each such projection.
    private func changedInput(
        _ ranges: [PlanRange], rowCount: Int
    ) -> (UnsafeMutablePointer<Float>, copyCount: Int) {
        var copyCount = 0
        for index in projections.indices {
            let slot = projections[index].slot
            if ranges.contains(where: { $0.views.linear[slot].hasMap(at: .input) }) {
                copyCount += 1
                projections[index].copy = copyCount
            }
        }
        guard copyCount > 0 else { return (input.pointer, 0) }
        let floatCount = rowCount * input.width
        let rows = buffers.changed(floatCount: (1 + copyCount) * floatCount)
        for copy in 0...copyCount {
            (rows + copy * floatCount).update(from: input.pointer, count: floatCount)
        }
        for projection in projections where projection.copy > 0 {
            let copy = rows + projection.copy * floatCount
            for range in ranges {
                let offset = range.rows.lowerBound * input.width
                maps.add(
                    range.views.linear[projection.slot], .input, rowCount: range.rows.count,
                    input: input.pointer + offset, inputStride: input.width,
                    output: copy + offset, outputStride: input.width, state: range.firstState)
            }
        }
        maps.run()
        return (rows, copyCount)
    }

    private func runMaps(_ places: RowMapJob.Places, _ ranges: [PlanRange]) {
        for projection in projections {
            for range in ranges {
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
                    matrix, rows: firstRow + rows.lowerBound..<firstRow + rows.upperBound,
                    output: projection.output.row(rows.lowerBound),
                    outputStride: projection.output.width, accumulating: false)
            }
            start = end
        }
        for range in ranges {
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
        for range in ranges {
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
    private func scaleInner(_ ranges: [PlanRange], _ products: UnsafeMutablePointer<Float>) {
        forEachLowRank(ranges) { lowRank, _, range, _, place in
            guard let inner = lowRank.factors?.inner else { return }
            for row in 0..<range.rows.count {
                let product = products + place + row * lowRank.rank
                for index in 0..<lowRank.rank { product[index] *= inner[index] }
            }
        }
    }

    /// y += B (A x) for the operators whose turn it is.
    ///
    /// - Parameter own: room for B (A x) of operators with factors of outputs, which those meet before
    ///   it is added; nil where no operator has any.
    private func expand(
        _ turn: Int, _ ranges: [PlanRange], _ products: UnsafeMutablePointer<Float>,
        own: UnsafeMutablePointer<Float>?
    ) {
        var free = own ?? products
        forEachLowRank(ranges) { lowRank, index, range, projection, place in
            guard index == turn else { return }
            let width = projection.output.width
            let isDirect = lowRank.factors == nil
            batch.add(
                lowRank.b, input: products + place, rowCount: range.rows.count,
                inputStride: lowRank.rank,
                output: isDirect ? projection.output.row(range.rows.lowerBound) : free,
                outputStride: isDirect ? width : lowRank.b.outputCount, accumulating: isDirect)
            if !isDirect { free += range.rows.count * lowRank.b.outputCount }
        }
        batch.run()
        guard let own else { return }
        free = own
        forEachLowRank(ranges) { lowRank, index, range, projection, _ in
            guard index == turn, let outer = lowRank.factors?.outer else { return }
            let width = lowRank.b.outputCount
            for row in range.rows {
                Vectors.add(
                    free, times: outer, scaledBy: 1, to: projection.output.row(row), count: width)
                free += width
            }
        }
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
