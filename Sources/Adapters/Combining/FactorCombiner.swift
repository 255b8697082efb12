internal import Kernels

/// Combines the factors of one module after another.
struct FactorCombiner {
    struct Part {
        let factors: PlainLoRA.Factors
        let weight: Double

        /// What A and B are multiplied with where they stand for themselves: their product is then
        /// weight · scaling, and A carries the sign.
        var roots: (a: Float, b: Float) {
            let product = weight * factors.scaling
            let root = abs(product).squareRoot()
            return (Float(product >= 0 ? root : -root), Float(root))
        }
    }

    /// Factors of the rank that all modules get.
    struct Result {
        var a: [Float]
        var b: [Float]
        let inputCount: Int
        let outputCount: Int
    }

    private let options: CombinationOptions
    private let rank: Int
    private var tensors: TensorCombination

    init(options: CombinationOptions, rank: Int, generator: TorchGenerator) {
        self.options = options
        self.rank = rank
        tensors = TensorCombination(options: options, generator: generator)
    }

    /// - Parameter parts: at least one, all of the same shape.
    /// - Throws: `AdapterError.uncombinable` where the result isn't finite.
    mutating func combine(_ parts: [Part], module: String) throws(AdapterError) -> Result {
        let result: Result
        if options.method == .cat {
            result = concatenate(parts)
        } else if options.method.combinesProducts {
            result = try split(product(parts), like: parts[0].factors, module: module)
        } else {
            result = combineFactors(parts)
        }
        guard result.a.allSatisfy(\.isFinite), result.b.allSatisfy(\.isFinite) else {
            throw .uncombinable(
                adapter: module, reason: "the combination is beyond the range of F32")
        }
        return result
    }

    /// [w₁ s₁ A₁; w₂ s₂ A₂; …] and [B₁ B₂ …].
    private func concatenate(_ parts: [Part]) -> Result {
        var result = empty(like: parts[0].factors)
        var place = 0
        for part in parts {
            let factors = part.factors
            let (weight, scaling) = (Float(part.weight), Float(factors.scaling))
            for index in factors.a.indices {
                result.a[place * factors.inputCount + index] = factors.a[index] * weight * scaling
            }
            for row in 0..<factors.outputCount {
                for column in 0..<factors.rank {
                    result.b[row * rank + place + column] = factors.b[row * factors.rank + column]
                }
            }
            place += factors.rank
        }
        return result
    }

    private mutating func combineFactors(_ parts: [Part]) -> Result {
        let factors = parts[0].factors
        let a = tensors.combine(parts.map(\.factors.a), weights: parts.map(\.roots.a))
        let b = tensors.combine(parts.map(\.factors.b), weights: parts.map(\.roots.b))
        return padded(a, b, rank: factors.rank, like: factors)
    }

    /// The combined change of the weight. **Shape** [outputCount, inputCount]; combined in the
    /// layout of the weight itself, which for an embedding is the transpose.
    private mutating func product(_ parts: [Part]) -> [Float] {
        let factors = parts[0].factors
        let products = parts.map { part in
            let product = Self.product(part.factors)
            return factors.isEmbedding
                ? Matrices.transposed(product, rowCount: factors.outputCount) : product
        }
        let sum = tensors.combine(products, weights: parts.map { Float($0.weight) })
        return factors.isEmbedding ? Matrices.transposed(sum, rowCount: factors.inputCount) : sum
    }

    private static func product(_ factors: PlainLoRA.Factors) -> [Float] {
        var product = [Float](repeating: 0, count: factors.outputCount * factors.inputCount)
        product.withUnsafeMutableBufferPointer { result in
            BLAS.multiplyAdd(
                left: factors.b, right: factors.a, into: result.baseAddress!,
                rowCount: factors.outputCount, columnCount: factors.inputCount,
                innerCount: factors.rank, scaling: 1)
        }
        let scaling = Float(factors.scaling)
        return product.map { $0 * scaling }
    }

    /// U diag(s) and Vᵀ of the largest singular values.
    private func split(
        _ product: [Float], like factors: PlainLoRA.Factors, module: String
    ) throws(AdapterError) -> Result {
        let kept: SingularValueDecomposition
        do {
            kept = try SingularValueDecomposition(
                product, rowCount: factors.outputCount, columnCount: factors.inputCount)
        } catch {
            throw .uncombinable(
                adapter: module,
                reason: error == .tooLarge
                    ? "its matrix is too large for LAPACK"
                    : "LAPACK finds no singular values of the combination")
        }
        let rank = min(rank, kept.count)
        return padded(
            kept.right(rank: rank), kept.scaledLeft(rank: rank), rank: rank, like: factors)
    }

    /// The factors with zeros up to the rank of the result.
    private func padded(
        _ a: [Float], _ b: [Float], rank own: Int, like factors: PlainLoRA.Factors
    ) -> Result {
        var result = empty(like: factors)
        result.a.replaceSubrange(0..<a.count, with: a)
        for row in 0..<factors.outputCount {
            for column in 0..<own { result.b[row * rank + column] = b[row * own + column] }
        }
        return result
    }

    private func empty(like factors: PlainLoRA.Factors) -> Result {
        Result(
            a: [Float](repeating: 0, count: rank * factors.inputCount),
            b: [Float](repeating: 0, count: rank * factors.outputCount),
            inputCount: factors.inputCount, outputCount: factors.outputCount)
    }
}
