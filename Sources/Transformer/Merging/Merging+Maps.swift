import Kernels

// What maps of rows change of a weight matrix.
extension BaseModel {
    /// W += weight · D
    func add(
        _ matrix: PackedMatrix, _ weight: Float, to result: UnsafeMutablePointer<Float>,
        _ pool: WorkerPool
    ) {
        let count = matrix.outputCount * matrix.inputCount
        let values = AlignedBuffer<Float>(count: count)
        matrix.unpack(into: values.pointer, pool: pool)
        Vectors.add(values.pointer, scaledBy: weight, to: result, count: count)
    }

    /// W = (1 + Σ output maps) V (1 + Σ input maps) for the matrix V that stands at the slot.
    ///
    /// - Parameter result: V, then W; **shape** [outputCount, inputCount].
    func changeInputsAndOutputs(
        of result: AlignedBuffer<Float>, _ shape: LinearShape,
        by operators: [(LinearOperator, Float)], pool: WorkerPool
    ) {
        var inputs: [(RowMap, Float)] = []
        var outputs: [(RowMap, Float)] = []
        for (op, weight) in operators {
            switch op {
            case .input(let map): inputs.append((map, weight))
            case .output(let map): outputs.append((map, weight))
            default: break
            }
        }
        if !inputs.isEmpty {
            let own = copy(of: result)
            for (map, weight) in inputs {
                add(own, shape, times: map, weight, to: result.pointer, pool)
            }
        }
        if !outputs.isEmpty {
            let own = copy(of: result)
            for (map, weight) in outputs {
                map.add(
                    columnsOf: own.pointer, width: shape.inputCount, scaledBy: weight,
                    to: result.pointer, pool: pool)
            }
        }
    }

    /// W += weight · V M
    private func add(
        _ matrix: AlignedBuffer<Float>, _ shape: LinearShape, times map: RowMap, _ weight: Float,
        to result: UnsafeMutablePointer<Float>, _ pool: WorkerPool
    ) {
        if let transposed = map.transposed {
            return transposed.add(
                rowsOf: matrix.pointer, rowCount: shape.outputCount, scaledBy: weight, to: result,
                pool: pool)
        }
        let change = AlignedBuffer<Float>(count: map.inputCount * map.outputCount)
        map.add(to: change.pointer, scaledBy: 1, pool: pool)
        BLAS.multiplyAdd(
            left: matrix.pointer, right: change.pointer, into: result,
            rowCount: shape.outputCount, columnCount: shape.inputCount,
            innerCount: shape.inputCount, scaling: weight)
    }

    private func copy(of values: AlignedBuffer<Float>) -> AlignedBuffer<Float> {
        let copy = AlignedBuffer<Float>(count: values.count)
        copy.pointer.update(from: values.pointer, count: values.count)
        return copy
    }

    /// Changes of all rows of a table, each from what the table held before, and of chosen ones.
    func addMaps(
        _ operators: [(EmbeddingOperator, Float)], to table: AlignedBuffer<Float>, width: Int,
        pool: WorkerPool
    ) {
        changeRows(of: table, width: width, by: operators, pool: pool)
        for case (.rows(let tokens, let differences), let weight) in operators {
            for (place, token) in tokens.enumerated() {
                for column in 0..<width {
                    table.pointer[Int(token) * width + column] +=
                        weight * differences[place * width + column]
                }
            }
        }
    }

    private func changeRows(
        of table: AlignedBuffer<Float>, width: Int, by operators: [(EmbeddingOperator, Float)],
        pool: WorkerPool
    ) {
        var own: AlignedBuffer<Float>?
        for (op, weight) in operators {
            switch op {
            case .product(let rows, let b):
                let before = own ?? copy(of: table)
                own = before
                let factors = AlignedBuffer<Float>(count: table.count)
                add(rows: rows, b: b, scaling: weight, to: factors.pointer, pool: pool)
                Vectors.add(
                    before.pointer, times: factors.pointer, scaledBy: 1, to: table.pointer,
                    count: table.count)
            case .output(let map):
                let before = own ?? copy(of: table)
                own = before
                map.add(
                    rowsOf: before.pointer, rowCount: table.count / width, scaledBy: weight,
                    to: table.pointer, pool: pool)
            case .lowRank, .rows, .softPrompt, .replacement: break
            }
        }
    }
}
