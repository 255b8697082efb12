internal import Kernels
internal import RegularExpressions
internal import StrictJSON
internal import Transformer

/// OSF: the directions of a matrix with the smallest singular values, trained; the others stay.
///
///     base_model.model.<module>.osf_svd_params.U_low    [outputs, n]
///                                             .S_low    [n]
///                                             .V_low    [n, inputs]
///
/// W' = W − L + U S V, with L what W's own smallest n singular values give, and n the smaller side
/// less `effective_rank`. L depends on W alone, not on signs: it is W, projected on the
/// eigenvectors of W Wᵀ (or Wᵀ W, whichever is smaller) with the smallest eigenvalues.
///
/// **Source**: arXiv 2504.07097; PEFT 0.21.
enum OSF: LinearTuner {
    private static let left = TensorPart(".osf_svd_params.U_low")
    private static let values = TensorPart(".osf_svd_params.S_low")
    private static let right = TensorPart(".osf_svd_params.V_low")

    /// How many singular values stay.
    enum Kept {
        case half
        case share(Double)
        case count(Int)

        func count(of smallerSide: Int) -> Int {
            switch self {
            case .half: smallerSide / 2
            case .share(let share): Int(Double(smallerSide) * share)
            case .count(let count): min(smallerSide, count)
            }
        }
    }

    struct Settings {
        let standard: Kept
        let patterns: [(pattern: ModuleExpression, kept: Kept)]
        /// Factors of what the base's smallest singular values give.
        var own: [LinearSlot: (left: [Float], right: [Float])] = [:]

        func kept(_ module: String) throws(AdapterError) -> Kept {
            for (pattern, kept) in patterns where try pattern.matches(module) { return kept }
            return standard
        }

        /// How many of a matrix's singular values are trained.
        func trainedCount(
            _ linear: LinearSlot, _ compiler: TunerCompiler
        ) throws(AdapterError) -> Int {
            let shape = compiler.slots.shape(of: linear)
            let smallerSide = min(shape.outputCount, shape.inputCount)
            return smallerSide
                - (try kept(compiler.slots.name(of: .linear(linear))).count(of: smallerSide))
        }
    }

    static let name = "OSF"
    static let parts = [left, values, right]
    static let trainingOnly: Set<String> = ["target_svd_config"]

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        settings.own = try smallestParts(settings, compiler)
    }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let name = "effective_rank"
        let value = configuration.value(name)
        let standard: Kept =
            if let value { try kept(value, name, configuration) } else { .half }
        var patterns: [(pattern: ModuleExpression, kept: Kept)] = []
        for (key, value) in try configuration.members("rank_pattern", limit: 4096) {
            patterns.append(
                (
                    try ModuleExpression(
                        "(?s:.*)(?:\(key))", extent: .start, budget: configuration.expressionSteps,
                        setting: "rank_pattern", shown: key, file: configuration.file),
                    try kept(value, "rank_pattern", configuration)
                ))
        }
        return Settings(standard: standard, patterns: patterns)
    }

    /// A number with a decimal point, up to 1, is a share.
    private static func kept(
        _ value: JSONValue, _ name: String, _ configuration: AdapterConfiguration
    ) throws(AdapterError) -> Kept {
        if case .number(let share) = value, share > 0, share <= 1 { return .share(share) }
        guard let number = value.doubleValue, number >= 1, number < 1e9 else {
            throw configuration.invalid(
                name, value, expected: "a count from 1, or a share from 0 to 1")
        }
        return .count(Int(number))
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let smallerSide = min(shape.outputCount, shape.inputCount)
        let count = try settings.trainedCount(linear, compiler)
        let reason =
            "'effective_rank' keeps \(smallerSide - count) of the \(smallerSide) directions of "
            + "'\(module)'"
        var left = try compiler.floats(
            left, at: slot, shape: [shape.outputCount, count], reason: reason)
        let values = try compiler.floats(values, at: slot, shape: [count], reason: reason)
        let right = try compiler.floats(
            right, at: slot, shape: [count, shape.inputCount], reason: reason)
        guard count > 0, let own = settings.own[linear] else { return compiler.touch(linear) }
        for index in left.indices { left[index] *= values[index % count] }
        // [U S | −O] [V; P] for the part O P of W.
        var b = [Float](repeating: 0, count: shape.outputCount * 2 * count)
        for output in 0..<shape.outputCount {
            for index in 0..<count {
                b[output * 2 * count + index] = left[output * count + index]
                b[output * 2 * count + count + index] = -own.left[output * count + index]
            }
        }
        compiler.appendProduct(a: right + own.right, b: b, rank: 2 * count, at: linear)
    }

    /// Of all targeted matrices, a matrix a task of the worker pool.
    private static func smallestParts(
        _ settings: Settings, _ compiler: TunerCompiler
    ) throws(AdapterError) -> [LinearSlot: (left: [Float], right: [Float])] {
        var targets: [(linear: LinearSlot, count: Int)] = []
        for linear in try compiler.targetedLinearSlots() {
            let count = try settings.trainedCount(linear, compiler)
            if count > 0 { targets.append((linear, count)) }
        }
        let base = compiler.base
        let parts = compiler.pool.map(targets) { (linear, count) in
            smallestPart(base.matrix(at: linear), count: count)
        }
        var result: [LinearSlot: (left: [Float], right: [Float])] = [:]
        for (target, part) in zip(targets, parts) {
            guard let part else {
                throw .unsupportedTarget(
                    module: compiler.slots.name(of: .linear(target.linear)),
                    setting: "target_modules",
                    reason: "the singular values of its weights can't be computed",
                    file: compiler.configurationFile)
            }
            result[target.linear] = part
        }
        return result
    }

    /// Factors of what the smallest `count` singular values of a matrix give; nil where they can't
    /// be computed.
    private static func smallestPart(
        _ matrix: PackedMatrix, count: Int
    ) -> (left: [Float], right: [Float])? {
        let (outputCount, inputCount) = (matrix.outputCount, matrix.inputCount)
        let base = TunerCompiler.floats(of: matrix, pool: nil)
        let isWide = outputCount <= inputCount
        let size = min(outputCount, inputCount)
        let rows =
            isWide
            ? base
            : Matrices.transposed(base, rowCount: outputCount)
        let gram = LinearAlgebra.gramMatrix(
            rows, rowCount: size, columnCount: rows.count / size)
        guard
            let vectors = LinearAlgebra.smallestEigenvectors(gram, size: size, count: count)?
                .map({ Float($0) })
        else { return nil }
        let columns = Matrices.transposed(vectors, rowCount: count)
        if isWide {
            return (
                columns,
                TunerCompiler.product(
                    vectors, base, rowCount: count, columnCount: inputCount, innerCount: size)
            )
        }
        return (
            TunerCompiler.product(
                base, columns, rowCount: outputCount, columnCount: count, innerCount: size), vectors
        )
    }
}
