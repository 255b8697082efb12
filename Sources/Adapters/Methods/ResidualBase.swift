internal import Kernels
internal import Transformer

/// What PEFT takes out of a base's weights when it loads a LoRA whose training began with them: the
/// adapter's own part comes back in its factors.
///
/// What is taken out has low rank itself, so that it is one more low-rank update, with a minus sign.
/// Signs and order of singular vectors don't matter to it.
///
/// **Source**: PiSSA, arXiv 2404.02948; OLoRA, arXiv 2406.01775; KaSA, arXiv 2412.06071; PEFT 0.21.
enum ResidualBase: Equatable {
    /// The `rank` largest singular components.
    case pissa
    /// The projection on the first `rank` columns, times the adapter's scaling.
    case olora
    /// The `rank` smallest singular components.
    case kasa

    /// What the slot's matrix loses.
    ///
    /// - Throws: `AdapterError.invalidValues` where the base's matrix has no decomposition.
    func removed(
        at linear: LinearSlot, rank: Int, scaling: Float, _ compiler: TunerCompiler
    ) throws(AdapterError) -> LinearOperator {
        let shape = compiler.slots.shape(of: linear)
        let matrix = compiler.baseMatrix(linear)
        let module = compiler.slots.name(of: .linear(linear))
        guard rank <= min(shape.outputCount, shape.inputCount) else {
            throw .unsupportedTarget(
                module: module, setting: "r",
                reason: "rank \(rank) is more than the base's matrix has",
                file: compiler.configurationFile)
        }
        switch self {
        case .pissa, .kasa:
            let parts: SingularValueDecomposition
            do {
                parts = try SingularValueDecomposition(
                    matrix, rowCount: shape.outputCount, columnCount: shape.inputCount,
                    threadCount: compiler.pool.threadCount)
            } catch {
                throw .invalidValues(
                    tensor: module, reason: "the base's matrix has no singular value decomposition",
                    file: compiler.file)
            }
            let first = self == .pissa ? 0 : parts.count - rank
            return components(first..<first + rank, of: parts, shape, compiler)
        case .olora:
            let basis = Self.basis(matrix, shape, rank: rank)
            return compiler.lowRank(
                a: Self.product(basis, matrix, shape, rank: rank),
                b: TunerCompiler.transposed(basis, rowCount: rank, columnCount: shape.outputCount),
                rank: rank, shape, scaling: -scaling)
        }
    }

    private func components(
        _ range: Range<Int>, of parts: SingularValueDecomposition, _ shape: LinearShape,
        _ compiler: TunerCompiler
    ) -> LinearOperator {
        var b: [Float] = []
        for output in 0..<shape.outputCount {
            b += range.map { parts.left[output * parts.count + $0] * parts.values[$0] }
        }
        let a = parts.right[
            range.lowerBound * shape.inputCount..<range.upperBound * shape.inputCount]
        return compiler.lowRank(a: Array(a), b: b, rank: range.count, shape, scaling: -1)
    }

    /// An orthonormal basis of the first `rank` columns' span: Gram and Schmidt, twice, in doubles.
    /// **Shape**: [rank, outputCount].
    private static func basis(_ matrix: [Float], _ shape: LinearShape, rank: Int) -> [Float] {
        var basis: [[Double]] = []
        for column in 0..<rank {
            var vector = (0..<shape.outputCount).map {
                Double(matrix[$0 * shape.inputCount + column])
            }
            for _ in 0..<2 {
                for other in basis {
                    let overlap = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
                    for i in vector.indices { vector[i] -= overlap * other[i] }
                }
            }
            let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
            basis.append(length > 0 ? vector.map { $0 / length } : vector)
        }
        return basis.joined().map(Float.init)
    }

    /// Q W for Q [rank, outputCount]. **Shape**: [rank, inputCount].
    private static func product(
        _ basis: [Float], _ matrix: [Float], _ shape: LinearShape, rank: Int
    ) -> [Float] {
        var result = [Float](repeating: 0, count: rank * shape.inputCount)
        result.withUnsafeMutableBufferPointer {
            BLAS.multiplyAdd(
                left: basis, right: matrix, into: $0.baseAddress!, rowCount: rank,
                columnCount: shape.inputCount, innerCount: shape.outputCount, scaling: 1)
        }
        return result
    }
}
