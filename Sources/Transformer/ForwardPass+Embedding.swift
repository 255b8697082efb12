import Kernels

extension ForwardPass {
    /// Looks up every row's token in its plan's table, and adds low-rank updates of the table.
    func embed(_ rows: StepRows) {
        let b = buffers
        for range in rows.plans {
            let table = range.plan.embedding?.replacement ?? base.weights.embedding
            rows.tokens.withUnsafeBufferPointer { tokens in
                forEachRowBlock(of: range.rows.count) { block in
                    for offset in block {
                        let row = range.rows.lowerBound + offset
                        table.unpackRow(Int(tokens[row]), into: b.hidden.row(row))
                    }
                }
            }
            for lowRank in range.plan.embedding?.lowRanks ?? [] {
                add(lowRank, to: range.rows, rows)
            }
        }
    }

    private func add(
        _ lowRank: (rows: [Float], b: PackedMatrix, scaling: Float), to range: Range<Int>,
        _ rows: StepRows
    ) {
        let rank = lowRank.b.inputCount
        let product = buffers.lowRank(rank: rank)
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

    /// Turns queries and keys by their positions.
    func rotate(_ rows: StepRows) {
        let b = buffers
        let dimension = base.configuration.headDimension
        let half = dimension / 2
        rotary.withTables { cosines, sines in
            rows.positions.withUnsafeBufferPointer { positions in
                forEachRowBlock(of: rows.count) { block in
                    for row in block {
                        let entry = Int(positions[row]) * half
                        for (buffer, width) in [
                            (b.queries, b.queries.width), (b.keys, b.keys.width),
                        ] {
                            Vectors.rotary(
                                buffer.row(row), headCount: width / dimension,
                                headDimension: dimension, cosines: cosines + entry,
                                sines: sines + entry)
                        }
                    }
                }
            }
        }
    }
}
