internal import Kernels
internal import StrictJSON
internal import Transformer

// Operators of factors that a reader computed, in whichever form is cheaper.
extension TunerCompiler {
    /// D x
    ///
    /// - Parameter delta: **Shape** [outputCount, inputCount], row-major.
    mutating func appendDense(_ delta: [Float], at linear: LinearSlot) {
        let shape = slots.shape(of: linear)
        append(.dense(packed(delta, shape.outputCount, shape.inputCount)), at: linear)
    }

    /// B A x, scaled: in two products, or in one where the rank is so large that this costs less.
    ///
    /// - Parameters:
    ///   - a: **Shape** [rank, inputCount], row-major.
    ///   - b: **Shape** [outputCount, rank], row-major.
    mutating func appendProduct(
        a: [Float], b: [Float], rank: Int, scaling: Float = 1, at linear: LinearSlot
    ) {
        let shape = slots.shape(of: linear)
        let (outputCount, inputCount) = (shape.outputCount, shape.inputCount)
        guard rank * (outputCount + inputCount) > outputCount * inputCount else {
            return append(lowRank(a: a, b: b, rank: rank, shape, scaling: scaling), at: linear)
        }
        appendDense(
            Self.product(
                b, a, rowCount: outputCount, columnCount: inputCount, innerCount: rank,
                scaling: scaling), at: linear)
    }

    /// Notes a targeted slot where nothing changes.
    mutating func touch(_ linear: LinearSlot) {
        operators.linear[linear, default: []] += []
    }

    /// scaling · L R
    ///
    /// - Parameters:
    ///   - left: **Shape** [rowCount, innerCount], row-major.
    ///   - right: **Shape** [innerCount, columnCount], row-major.
    /// - Returns: **Shape** [rowCount, columnCount], row-major.
    static func product(
        _ left: [Float], _ right: [Float], rowCount: Int, columnCount: Int, innerCount: Int,
        scaling: Float = 1
    ) -> [Float] {
        var result = [Float](repeating: 0, count: rowCount * columnCount)
        result.withUnsafeMutableBufferPointer {
            BLAS.multiplyAdd(
                left: left, right: right, into: $0.baseAddress!, rowCount: rowCount,
                columnCount: columnCount, innerCount: innerCount, scaling: scaling)
        }
        return result
    }
}
