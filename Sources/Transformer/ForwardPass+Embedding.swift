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
            for entry in embedding.maps {
                change(range, by: entry.map, weight: entry.weight, rows)
            }
            for chosen in embedding.rows { add(chosen, to: range, rows) }
            for lowRank in embedding.lowRanks { add(lowRank, to: range, rows) }
            if !embedding.softPrompt.isEmpty { place(embedding.softPrompt, in: range, rows) }
        }
    }

    private func look(up range: Range<Int>, _ rows: StepRows, in table: PackedMatrix) {
        let hidden = buffers.hidden
        rows.tokens.withUnsafeBufferPointer { tokens in
            forEachRowBlock(of: range.count) { block in
                for offset in block {
                    let row = range.lowerBound + offset
                    guard tokens[row] >= 0 else { continue }
                    table.unpackRow(Int(tokens[row]), into: hidden.row(row))
                }
            }
        }
    }

    /// h += weight · M h for rows of the table.
    private func change(
        _ range: Range<Int>, by map: RowMap, weight: Float, _ rows: StepRows
    ) {
        let hidden = buffers.hidden
        var scratch = [Float](repeating: 0, count: map.scratchCount + hidden.width)
        scratch.withUnsafeMutableBufferPointer { scratch in
            let copy = scratch.baseAddress!
            for row in range where rows.tokens[row] >= 0 {
                copy.update(from: hidden.row(row), count: hidden.width)
                map.add(
                    copy, scaledBy: weight, to: hidden.row(row), scratch: copy + hidden.width)
            }
        }
    }

    private func add(_ chosen: AdapterPlan.EmbeddingRows, to range: Range<Int>, _ rows: StepRows) {
        let hidden = buffers.hidden
        chosen.differences.withUnsafeBufferPointer { differences in
            for row in range {
                guard let place = chosen.places[rows.tokens[row]] else { continue }
                Vectors.add(
                    differences.baseAddress! + place * hidden.width, scaledBy: chosen.weight,
                    to: hidden.row(row), count: hidden.width)
            }
        }
    }

    /// Rows of soft prompts stand for negative ids.
    private func place(_ softPrompt: [Float], in range: Range<Int>, _ rows: StepRows) {
        let hidden = buffers.hidden
        softPrompt.withUnsafeBufferPointer { prompt in
            for row in range where rows.tokens[row] < 0 {
                hidden.row(row).update(
                    from: prompt.baseAddress! + Int(-1 - rows.tokens[row]) * hidden.width,
                    count: hidden.width)
            }
        }
    }

    private func add(
        _ lowRank: AdapterPlan.EmbeddingLowRank, to range: Range<Int>, _ rows: StepRows
    ) {
        let rank = lowRank.b.inputCount
        let product = buffers.lowRank(floatCount: range.count * rank)
        for (offset, row) in range.enumerated() {
            let token = max(0, Int(rows.tokens[row]))
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
