import Kernels

extension RowMap {
    /// M as a matrix, made as merging makes it.
    ///
    /// **Shape**: [outputCount, inputCount], row-major.
    package func matrix() -> [Float] {
        var matrix = [Float](repeating: 0, count: outputCount * inputCount)
        matrix.withUnsafeMutableBufferPointer { add(to: $0.baseAddress!, scaledBy: 1, pool: nil) }
        return matrix
    }

    /// V M, made as merging makes it where M changes the input of a layer.
    ///
    /// - Parameter table: V, **shape** [rows, outputCount], row-major.
    /// - Returns: **Shape** [rows, inputCount]; nil where M has no transpose of its own.
    package func product(from table: [Float]) -> [Float]? {
        let rowCount = table.count / outputCount
        var result = [Float](repeating: 0, count: rowCount * inputCount)
        guard let transposed else { return nil }
        result.withUnsafeMutableBufferPointer {
            transposed.add(
                rowsOf: table, rowCount: rowCount, scaledBy: 1, to: $0.baseAddress!, pool: nil)
        }
        return result
    }

    /// M V, made as merging makes it where M changes the output of a layer.
    ///
    /// - Parameter table: V, **shape** [inputCount, columns], row-major.
    /// - Returns: **Shape** [outputCount, columns].
    package func product(with table: [Float]) -> [Float] {
        let width = table.count / inputCount
        var result = [Float](repeating: 0, count: outputCount * width)
        result.withUnsafeMutableBufferPointer {
            add(columnsOf: table, width: width, scaledBy: 1, to: $0.baseAddress!, pool: nil)
        }
        return result
    }

    /// M x, made as a step makes it.
    ///
    /// - Parameter input: **Shape** [inputCount].
    /// - Returns: **Shape** [outputCount].
    package func applied(to input: [Float]) -> [Float] {
        precondition(input.count == inputCount)
        let scratch = AlignedBuffer<Float>(count: max(1, scratchCount))
        scratch.pointer.update(repeating: .nan, count: scratch.count)
        var output = [Float](repeating: 0, count: outputCount)
        output.withUnsafeMutableBufferPointer {
            add(input, scaledBy: 1, to: $0.baseAddress!, scratch: scratch.pointer)
        }
        return output
    }
}
