import Kernels

extension ForwardPass {
    /// Norm of all rows, each with the gain (and bias) of its plan.
    ///
    /// - Parameter output: may be the input.
    func normalize(
        _ norm: NormStep, _ ranges: [PlanRange], from input: RowBuffer, to output: RowBuffer
    ) {
        let own = model.views
        for range in ranges {
            guard let gain = range.views.gains[norm.slot] ?? own.gains[norm.slot] else { continue }
            let bias = range.views.normBiases[norm.slot] ?? own.normBiases[norm.slot]
            forEachRowBlock(of: range.rows.count) { block in
                let first = range.rows.lowerBound + block.lowerBound
                normalize(
                    norm, input: input.row(first), gain: gain, bias: bias,
                    rowCount: block.count * input.width / norm.width, output: output.row(first))
            }
        }
    }

    /// - Parameter rowCount: rows as wide as the norm; several to a buffer's row where it is of
    ///   heads.
    private func normalize(
        _ norm: NormStep, input: UnsafePointer<Float>, gain: UnsafePointer<Float>,
        bias: UnsafePointer<Float>?, rowCount: Int, output: UnsafeMutablePointer<Float>
    ) {
        if norm.isLayerNorm {
            Vectors.layerNorm(
                input: input, gain: gain, bias: bias, epsilon: norm.epsilon, rowCount: rowCount,
                width: norm.width, output: output)
        } else {
            Vectors.rmsNorm(
                input: input, gain: gain, epsilon: norm.epsilon, rowCount: rowCount,
                width: norm.width, output: output)
        }
    }

    /// The last norm of all rows' hidden states, into `normed`.
    func normalizeHidden() {
        normalize(model.steps.finalNorm, rows.plans, from: buffers.hidden, to: buffers.normed)
    }

    /// Turns queries and keys by their positions, and writes keys and values into their pages.
    func turnAndStore(_ rows: StepRows, layer: Int, rotary: Int?) {
        guard let rotary else {
            return attention.turnAndStore(
                nil, layer: layer, pages: pageView, buffers: buffers, pool: pool)
        }
        let (dimension, isInterleaved) = (
            rotarySpecs[rotary].dimension, rotarySpecs[rotary].isInterleaved
        )
        rotaryTables[rotary].withTables { cosines, sines in
            rows.positions.withUnsafeBufferPointer { positions in
                attention.turnAndStore(
                    KeyValueStoring.Rotation(
                        positions: positions, cosines: cosines, sines: sines,
                        dimension: dimension, isInterleaved: isInterleaved),
                    layer: layer, pages: pageView, buffers: buffers, pool: pool)
            }
        }
    }

    /// Takes out of a fused buffer's rows what begins at `offset`.
    func cut(_ fused: RowBuffer, from offset: Int, to part: RowBuffer, rowCount: Int) {
        forEachRowBlock(of: rowCount) { block in
            for row in block {
                part.row(row).update(from: fused.row(row) + offset, count: part.width)
            }
        }
    }

    /// Cuts each row of a fused buffer into its even and its odd values.
    func splitTurns(
        _ fused: RowBuffer, rowCount: Int, into first: RowBuffer, _ second: RowBuffer
    ) {
        forEachRowBlock(of: rowCount) { block in
            for row in block {
                let source = fused.row(row)
                let (even, odd) = (first.row(row), second.row(row))
                for index in 0..<first.width {
                    even[index] = source[2 * index]
                    odd[index] = source[2 * index + 1]
                }
            }
        }
    }

    /// Cuts rows that have, for each head of keys and values, its queries, its key and its value.
    func splitGroups(_ fused: RowBuffer, rowCount: Int) {
        let (queries, keys, values) = (buffers.queries, buffers.keys, buffers.values)
        let groupCount = model.attentionShape.keyValueHeadCount
        let (queryWidth, width) = (queries.width / groupCount, keys.width / groupCount)
        forEachRowBlock(of: rowCount) { block in
            for row in block {
                var source = UnsafePointer(fused.row(row))
                for group in 0..<groupCount {
                    (queries.row(row) + group * queryWidth).update(from: source, count: queryWidth)
                    source += queryWidth
                    (keys.row(row) + group * width).update(from: source, count: width)
                    source += width
                    (values.row(row) + group * width).update(from: source, count: width)
                    source += width
                }
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
