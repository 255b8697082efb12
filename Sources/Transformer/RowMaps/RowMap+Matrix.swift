import Kernels

extension RowMap {
    /// M as a matrix, made as merging makes it.
    ///
    /// **Shape**: [outputCount, inputCount], row-major.
    package func matrix() -> [Float] {
        var matrix = [Float](repeating: 0, count: outputCount * inputCount)
        matrix.withUnsafeMutableBufferPointer { add(to: $0.baseAddress!, scaledBy: 1) }
        return matrix
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
