import Kernels

extension ForwardPass {
    /// Looks up every row's token in its plan's table, and adds low-rank updates of the table.
    func embed(_ slices: [StepSlice], _ rows: StepRows) {
        var first = 0
        for slice in slices {
            let range = first..<first + slice.tokens.count
            first = range.upperBound
            let embedding = slice.plan.embedding
            look(
                up: range, rows, in: embedding?.replacement ?? base.weights.embedding,
                thenIn: slice.plan.addedEmbedding)
            if let embedding {
                changeRows(range, by: embedding, rows)
                for chosen in embedding.rows { add(chosen, to: range, rows) }
                for lowRank in embedding.lowRanks { add(lowRank, to: range, rows) }
            }
            finish(range, rows, softPrompt: embedding?.softPrompt ?? [])
        }
        if let norm = model.steps.embeddingNorm {
            normalize(norm, rows.plans, from: buffers.hidden, to: buffers.hidden)
        }
    }

    /// Scale, rows of trained prompts, and positions.
    private func finish(_ range: Range<Int>, _ rows: StepRows, softPrompt: [Float]) {
        let hidden = buffers.hidden
        if scalesEmbedding, !scalesPrompts { scale(range) }
        if !softPrompt.isEmpty { place(softPrompt, in: range, rows) }
        if scalesEmbedding, scalesPrompts { scale(range) }
        guard let table = base.weights.positions else { return }
        forEachRowBlock(of: range.count) { block in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: hidden.width) { row in
                for offset in block {
                    let place = range.lowerBound + offset
                    let position = Int(rows.positions[place]) + positionOffset
                    table.unpackRow(min(position, table.outputCount - 1), into: row.baseAddress!)
                    Vectors.add(row.baseAddress!, to: hidden.row(place), count: hidden.width)
                }
            }
        }
    }

    private func scale(_ range: Range<Int>) {
        let hidden = buffers.hidden
        forEachRowBlock(of: range.count) { block in
            Vectors.scale(
                hidden.row(range.lowerBound + block.lowerBound), by: embeddingScale,
                count: block.count * hidden.width)
        }
    }

    /// A token that neither table has a row for makes its row no number, which ends its request
    /// alone.
    ///
    /// - Parameter added: rows of the tokens behind those of `table`.
    private func look(
        up range: Range<Int>, _ rows: StepRows, in table: PackedMatrix, thenIn added: PackedMatrix?
    ) {
        let hidden = buffers.hidden
        rows.tokens.withUnsafeBufferPointer { tokens in
            forEachRowBlock(of: range.count) { block in
                for offset in block {
                    let row = range.lowerBound + offset
                    let token = Int(tokens[row])
                    guard token >= 0 else { continue }
                    let further = token - table.outputCount
                    if further < 0 {
                        table.unpackRow(token, into: hidden.row(row))
                    } else if let added, further < added.outputCount {
                        added.unpackRow(further, into: hidden.row(row))
                    } else {
                        hidden.row(row).update(repeating: .nan, count: hidden.width)
                    }
                }
            }
        }
    }

    /// Adds what depends on the table's row: all of it is computed from the row as it was.
    private func changeRows(
        _ range: Range<Int>, by embedding: AdapterPlan.Embedding, _ rows: StepRows
    ) {
        guard !embedding.products.isEmpty || !embedding.maps.isEmpty else { return }
        let (width, count) = (buffers.hidden.width, range.count * buffers.hidden.width)
        let inner = embedding.maps.reduce(0) { max($0, $1.map.scratchCount) }
        let values = buffers.changed(floatCount: 2 * count + inner)
        let (factors, scratch) = (values + count, values + 2 * count)
        values.update(from: buffers.hidden.row(range.lowerBound), count: count)
        for product in embedding.products {
            multiply(product, range, rows, to: factors, accumulating: false)
            Vectors.add(
                values, times: factors, scaledBy: 1, to: buffers.hidden.row(range.lowerBound),
                count: count)
        }
        for (offset, row) in range.enumerated() where rows.tokens[row] >= 0 {
            for (map, weight) in embedding.maps {
                map.add(
                    values + offset * width, scaledBy: weight, to: buffers.hidden.row(row),
                    scratch: scratch)
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
                let start = Int(-1 - rows.tokens[row]) * hidden.width
                guard start < prompt.count else { continue }
                hidden.row(row).update(from: prompt.baseAddress! + start, count: hidden.width)
            }
        }
    }

    private func add(
        _ lowRank: AdapterPlan.EmbeddingLowRank, to range: Range<Int>, _ rows: StepRows
    ) {
        multiply(
            lowRank, range, rows, to: buffers.hidden.row(range.lowerBound), accumulating: true)
    }

    /// output = B a[token] for each row, or output += B a[token].
    private func multiply(
        _ lowRank: AdapterPlan.EmbeddingLowRank, _ range: Range<Int>, _ rows: StepRows,
        to output: UnsafeMutablePointer<Float>, accumulating: Bool
    ) {
        let rank = lowRank.b.inputCount
        let product = buffers.lowRank(floatCount: range.count * rank)
        for (offset, row) in range.enumerated() {
            let start = max(0, Int(rows.tokens[row])) * rank
            // Another adapter's further tokens have no row here.
            let isKnown = start < lowRank.rows.count
            for i in 0..<rank {
                product[offset * rank + i] =
                    isKnown ? lowRank.rows[start + i] * lowRank.scaling : 0
            }
        }
        lowRank.b.multiply(
            input: product, rowCount: range.count, inputStride: rank,
            output: output, outputStride: buffers.hidden.width, accumulating: accumulating,
            pool: pool)
    }
}
