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

    /// W += weight · V M for the matrix V that stands at the slot.
    func add(
        _ matrix: PackedMatrix, times map: RowMap, _ weight: Float,
        to result: UnsafeMutablePointer<Float>, _ pool: WorkerPool
    ) {
        if let diagonal = map as? DiagonalMap {
            let own = floats(of: matrix, pool)
            return diagonal.add(
                columnsOf: own.pointer, rowCount: matrix.outputCount, scaledBy: weight, to: result)
        }
        let (own, change) = dense(matrix, map, pool)
        BLAS.multiplyAdd(
            left: own.pointer, right: change.pointer, into: result, rowCount: matrix.outputCount,
            columnCount: matrix.inputCount, innerCount: matrix.inputCount, scaling: weight)
    }

    /// W += weight · M V for the matrix V that stands at the slot.
    func add(
        _ map: RowMap, times matrix: PackedMatrix, _ weight: Float,
        to result: UnsafeMutablePointer<Float>, _ pool: WorkerPool
    ) {
        if let diagonal = map as? DiagonalMap {
            let own = floats(of: matrix, pool)
            return diagonal.add(
                rowsOf: own.pointer, width: matrix.inputCount, scaledBy: weight, to: result)
        }
        let (own, change) = dense(matrix, map, pool)
        BLAS.multiplyAdd(
            left: change.pointer, right: own.pointer, into: result, rowCount: matrix.outputCount,
            columnCount: matrix.inputCount, innerCount: matrix.outputCount, scaling: weight)
    }

    private func dense(
        _ matrix: PackedMatrix, _ map: RowMap, _ pool: WorkerPool
    ) -> (AlignedBuffer<Float>, AlignedBuffer<Float>) {
        let change = AlignedBuffer<Float>(count: map.inputCount * map.outputCount)
        change.pointer.update(repeating: 0, count: change.count)
        map.add(to: change.pointer, scaledBy: 1)
        return (floats(of: matrix, pool), change)
    }

    private func floats(of matrix: PackedMatrix, _ pool: WorkerPool) -> AlignedBuffer<Float> {
        let values = AlignedBuffer<Float>(count: matrix.outputCount * matrix.inputCount)
        matrix.unpack(into: values.pointer, pool: pool)
        return values
    }

    /// Changes of all rows of a table, each from what the table held before, and of chosen ones.
    func addMaps(
        _ operators: [(EmbeddingOperator, Float)], to table: AlignedBuffer<Float>, width: Int
    ) {
        let maps = operators.compactMap { op, weight in
            if case .output(let map) = op { (map, weight) } else { nil }
        }
        var scratch = [Float](
            repeating: 0, count: width + (maps.map(\.0.scratchCount).max() ?? 0))
        scratch.withUnsafeMutableBufferPointer { scratch in
            guard !maps.isEmpty, let copy = scratch.baseAddress else { return }
            for row in 0..<table.count / width {
                let target = table.pointer + row * width
                copy.update(from: target, count: width)
                for (map, weight) in maps {
                    map.add(copy, scaledBy: weight, to: target, scratch: copy + width)
                }
            }
        }
        for case (.rows(let tokens, let differences), let weight) in operators {
            for (place, token) in tokens.enumerated() {
                for column in 0..<width {
                    table.pointer[Int(token) * width + column] +=
                        weight * differences[place * width + column]
                }
            }
        }
    }
}
