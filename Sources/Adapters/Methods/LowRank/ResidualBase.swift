internal import Kernels
internal import Transformer

/// What PEFT takes out of a base's weights when it loads a LoRA whose training began with them: the
/// adapter's own part comes back in its factors.
///
/// What is taken out has low rank itself, so that it is one more low-rank update, with a minus
/// sign. Signs and order of singular vectors don't matter to it.
///
/// **Source**: PiSSA, arXiv 2404.02948; OLoRA, arXiv 2406.01775; KaSA, arXiv 2412.06071; PEFT 0.21.
enum ResidualBase: Equatable {
    /// The `rank` largest singular components.
    case pissa
    /// The projection on the first `rank` columns, times the adapter's scaling.
    case olora
    /// The `rank` smallest singular components.
    case kasa

    /// b a, scaled: what is added to a matrix for its part to be gone.
    struct Product {
        /// **Shape**: [rank, inputCount].
        let a: [Float]
        /// **Shape**: [outputCount, rank].
        let b: [Float]
        let scaling: Float
    }

    /// What takes its part out of the slot's matrix.
    ///
    /// - Throws: `AdapterError.invalidValues` where the base's matrix has no decomposition, or
    ///   where the file's table isn't what is left of the base's; `.unsupportedTarget` for the head
    ///   of a base whose embedding it is.
    func removal(
        at linear: LinearSlot, rank: Int, scaling: Float, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> Product {
        let shape = compiler.slots.shape(of: linear)
        let matrix = compiler.baseMatrix(linear)
        let module = compiler.slots.name(of: .linear(linear))
        if linear == .head { try Self.checkHead(compiler) }
        let removed = try removed(
            from: matrix, shape, rank: rank, scaling: scaling, module: module, compiler)
        if let table = compiler.tensors.take(.baseWeight, at: .linear(linear)) {
            try Self.check(table, isLeftOf: matrix, without: removed, shape, rank, compiler)
        }
        return removed
    }

    /// - Throws: `AdapterError.unsupportedTarget` for the head of a base whose embedding it is.
    static func checkHead(_ compiler: TunerCompiler) throws(AdapterError) {
        guard compiler.base.configuration.tiesHeadToEmbedding else { return }
        throw .unsupportedTarget(
            module: compiler.slots.name(of: .linear(.head)), setting: "target_modules",
            reason: "training took a part out of it, and the base's embedding is the same table",
            file: compiler.configurationFile)
    }

    /// PEFT saves a targeted head's matrix along, after its part was taken out.
    private static func check(
        _ table: AdapterTensor, isLeftOf matrix: [Float], without removed: Product,
        _ shape: LinearShape, _ rank: Int, _ compiler: TunerCompiler
    ) throws(AdapterError) {
        try compiler.check(
            table, shape: [shape.outputCount, shape.inputCount],
            reason: "it is the table of another base")
        let product = TunerCompiler.product(
            removed.b, removed.a, rowCount: shape.outputCount, columnCount: shape.inputCount,
            innerCount: rank)
        // Coarser than decompositions in 16-bit types differ, finer than bases do.
        let limit = matrix.reduce(0) { max($0, abs($1)) } / 64
        let values = try table.floats(file: compiler.file)
        for index in values.indices
        where abs(matrix[index] + removed.scaling * product[index] - values[index]) > limit {
            throw .invalidValues(
                tensor: table.name,
                reason: "it isn't what is left of the base's: the adapter was trained on another "
                    + "base", file: compiler.file)
        }
    }

    private func removed(
        from matrix: [Float], _ shape: LinearShape, rank: Int, scaling: Float, module: String,
        _ compiler: TunerCompiler
    ) throws(AdapterError) -> Product {
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
            return Self.components(first..<first + rank, of: parts, shape)
        case .olora:
            let basis = Self.basis(matrix, shape, rank: rank)
            return Product(
                a: Self.product(basis, matrix, shape, rank: rank),
                b: Matrices.transposed(basis, rowCount: rank),
                scaling: -scaling)
        }
    }

    private static func components(
        _ range: Range<Int>, of parts: SingularValueDecomposition, _ shape: LinearShape
    ) -> Product {
        var b: [Float] = []
        for output in 0..<shape.outputCount {
            b += range.map { parts.left[output * parts.count + $0] * parts.values[$0] }
        }
        let a = parts.right[
            range.lowerBound * shape.inputCount..<range.upperBound * shape.inputCount]
        return Product(a: Array(a), b: b, scaling: -1)
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
