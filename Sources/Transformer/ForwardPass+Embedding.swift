import Kernels

extension ForwardPass {
    /// Looks up every row's token in its plan's table, and adds low-rank updates of the table.
    func embed(_ slices: [StepSlice], _ rows: StepRows) {
        var first = 0
        for slice in slices {
            let range = first..<first + slice.tokens.count
            first = range.upperBound
            let embedding = slice.plan.embedding
            look(up: range, rows, in: embedding?.replacement ?? base.weights.embedding)
            guard let embedding else { continue }
            if let scale = embedding.scale { change(range, by: scale) }
            for lowRank in embedding.lowRanks { add(lowRank, to: range, rows) }
        }
    }

    private func look(up range: Range<Int>, _ rows: StepRows, in table: PackedMatrix) {
        let hidden = buffers.hidden
        rows.tokens.withUnsafeBufferPointer { tokens in
            forEachRowBlock(of: range.count) { block in
                for offset in block {
                    let row = range.lowerBound + offset
                    table.unpackRow(Int(tokens[row]), into: hidden.row(row))
                }
            }
        }
    }

    /// h += d ⊙ h
    private func change(_ range: Range<Int>, by difference: [Float]) {
        let hidden = buffers.hidden
        difference.withUnsafeBufferPointer { difference in
            for row in range {
                let values = hidden.row(row)
                for i in 0..<hidden.width { values[i] += difference[i] * values[i] }
            }
        }
    }

    private func add(
        _ lowRank: AdapterPlan.EmbeddingLowRank, to range: Range<Int>, _ rows: StepRows
    ) {
        let rank = lowRank.b.inputCount
        let product = buffers.lowRank(floatCount: range.count * rank)
        for (offset, row) in range.enumerated() {
            let token = Int(rows.tokens[row])
            for i in 0..<rank {
                product[offset * rank + i] = lowRank.rows[token * rank + i] * lowRank.scaling
            }
        }
        lowRank.b.multiply(
            input: product, rowCount: range.count, inputStride: rank,
            output: buffers.hidden.row(range.lowerBound), outputStride: buffers.hidden.width,
            accumulating: true, pool: pool)
    }
}
