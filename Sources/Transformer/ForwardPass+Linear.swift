import Kernels

extension ForwardPass {
    /// One projection over all rows: the frozen weights once, then what each plan adds.
    ///
    /// - Parameter ranges: the plans of rows 0 ..< n of `input` and `output`, without gaps.
    func project(
        _ slot: LinearSlot, _ ranges: [PlanRange], from input: RowBuffer, to output: RowBuffer,
        accumulating: Bool = false
    ) {
        let index = base.slots.index(of: slot)
        let frozen = base.weights.linear[index]
        let bias = base.weights.biases[index]
        forEachRun(in: ranges, at: index) { rows, replacement in
            let matrix = replacement ?? frozen
            matrix.multiply(
                input: input.row(rows.lowerBound), rowCount: rows.count, inputStride: input.width,
                output: output.row(rows.lowerBound), outputStride: output.width,
                accumulating: accumulating, pool: pool)
            if replacement == nil, let bias { add(bias, to: output, rows) }
        }
        for range in ranges {
            guard let added = range.plan.linear[index] else { continue }
            if added.replacement != nil, let bias = added.replacementBias {
                add(bias, to: output, range.rows)
            }
            if let bias = added.bias { add(bias, to: output, range.rows) }
            for lowRank in added.lowRanks { add(lowRank, range.rows, from: input, to: output) }
        }
    }

    /// y += scaling · B (A x) for the rows of one plan.
    private func add(
        _ lowRank: LowRankOperator, _ rows: Range<Int>, from input: RowBuffer, to output: RowBuffer
    ) {
        guard lowRank.rank > 0, lowRank.scaling != 0 else { return }
        let product = buffers.lowRank(rank: lowRank.rank)
        lowRank.a.multiply(
            input: input.row(rows.lowerBound), rowCount: rows.count, inputStride: input.width,
            output: product, outputStride: lowRank.rank, accumulating: false, pool: pool)
        Vectors.scale(product, by: lowRank.scaling, count: rows.count * lowRank.rank)
        lowRank.b.multiply(
            input: product, rowCount: rows.count, inputStride: lowRank.rank,
            output: output.row(rows.lowerBound), outputStride: output.width, accumulating: true,
            pool: pool)
    }

    private func add(_ bias: [Float], to output: RowBuffer, _ rows: Range<Int>) {
        bias.withUnsafeBufferPointer { values in
            for row in rows {
                Vectors.add(values.baseAddress!, to: output.row(row), count: values.count)
            }
        }
    }

    /// Root-mean-square norm of all rows, each with the gain of its plan.
    func normalize(
        _ slot: NormSlot, _ ranges: [PlanRange], from input: RowBuffer, to output: RowBuffer
    ) {
        let index = base.slots.index(of: slot)
        let epsilon = base.configuration.normEpsilon
        for range in ranges {
            let gain = range.plan.gains[index] ?? base.weights.gains[index]
            gain.withUnsafeBufferPointer { gain in
                let gain = gain.baseAddress!
                forEachRowBlock(of: range.rows.count) { block in
                    let first = range.rows.lowerBound + block.lowerBound
                    Vectors.rmsNorm(
                        input: input.row(first), gain: gain, epsilon: epsilon,
                        rowCount: block.count, width: input.width, output: output.row(first))
                }
            }
        }
    }

    /// Calls `body` with each run of neighbouring rows that have the same stand-in for the base's
    /// matrix at a slot, or none.
    private func forEachRun(
        in ranges: [PlanRange], at slot: Int, _ body: (Range<Int>, PackedMatrix?) -> Void
    ) {
        var start = 0
        while start < ranges.count {
            let matrix = ranges[start].plan.linear[slot]?.replacement
            var end = start + 1
            while end < ranges.count, ranges[end].plan.linear[slot]?.replacement === matrix {
                end += 1
            }
            body(ranges[start].rows.lowerBound..<ranges[end - 1].rows.upperBound, matrix)
            start = end
        }
    }

    /// Splits elementwise work on rows among the workers; few rows stay on the calling thread.
    func forEachRowBlock(of rowCount: Int, _ body: (Range<Int>) -> Void) {
        let blockRowCount = 16
        guard rowCount > blockRowCount else { return body(0..<rowCount) }
        let blockCount = (rowCount + blockRowCount - 1) / blockRowCount
        pool.run(taskCount: blockCount) { block, _ in
            body(block * blockRowCount..<min(rowCount, (block + 1) * blockRowCount))
        }
    }
}
