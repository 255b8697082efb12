internal import Kernels
internal import Transformer

/// PSOFT: the base's leading singular vectors, turned among themselves.
///
///     base_model.model.<module>.psoft_R.weight      [rank · (rank − 1) / 2], or [rank, rank]
///     base_model.model.<module>.psoft_R.vector_a    [rank]    (`psoft_mag_a`)
///     base_model.model.<module>.psoft_R.vector_b    [rank]    (`psoft_mag_b`)
///
/// y += U S (diag(b) R diag(a) − 1) Vᵀ x, with W = U S Vᵀ cut off at the rank, or √S on both sides
/// of the middle. R is the Cayley transform of a skew-symmetric Q, whose values above the diagonal
/// the file has, or the first terms of its series; without `psoft_orth`, any matrix.
///
/// The vectors are not in the file. PEFT takes them from the base again, with the signs that its
/// library of linear algebra gives them, and these matter: here they are those of torch on an x86
/// processor.
///
/// **Source**: PSOFT, arXiv 2505.11235; PEFT 0.21.
enum PSOFT: LinearTuner {
    private static let middle = TensorPart(".psoft_R.weight")
    private static let before = TensorPart(".psoft_R.vector_a")
    private static let after = TensorPart(".psoft_R.vector_b")

    struct Settings {
        let rank: Int
        /// Values of the form that PEFT calls `pissa_init` stand on both sides.
        let sharesValues: Bool
        let isOrthogonal: Bool
        let scalesInputs: Bool
        let scalesOutputs: Bool
        /// Terms of the series; nil for the whole transform.
        let termCount: Int?
        /// The largest norm of Q in the series; nil without one.
        let bound: Double?
    }

    static let name = "PSOFT"
    static let parts: [TensorPart] = [middle, before, after]
    // The factor alpha / r is divided from the singular values, and multiplied again.
    static let trainingOnly: Set<String> = [
        "psoft_alpha", "psoft_dropout", "psoft_svd_lowrank_niter", "random_seed",
    ]

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let rank = try configuration.optionalCount("r", limit: AdapterConfiguration.rankLimit)
        let setting = "psoft_svd"
        let way = try configuration.choice(setting, ["full", "lowrank"], standard: "full")
        guard way == "full" else {
            throw .unsupportedSetting(
                setting, value: "\"\(way)\"",
                reason: "the singular vectors between which it turns were estimated from random "
                    + "numbers, and the file doesn't hold them; merge it with PEFT where it was "
                    + "trained", file: configuration.file)
        }
        let form = try configuration.choice(
            "ab_svd_init", ["psoft_init", "pissa_init"], standard: "psoft_init")
        let isSeries = try configuration.flag("use_cayley_neumann")
        let termCount = try configuration.optionalCount("num_cayley_neumann_terms", limit: 1024)
        let bound = try configuration.number("cayley_neumann_eps", standard: .infinity)
        return Settings(
            rank: rank ?? 32, sharesValues: form == "pissa_init",
            isOrthogonal: try configuration.flag("psoft_orth", standard: true),
            scalesInputs: try configuration.flag("psoft_mag_a", standard: true),
            scalesOutputs: try configuration.flag("psoft_mag_b", standard: true),
            termCount: isSeries ? termCount ?? 5 : nil,
            bound: isSeries && bound.isFinite ? bound : nil)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let shape = compiler.slots.shape(of: linear)
        let rank = settings.rank
        let module = compiler.slots.name(of: .linear(linear))
        guard rank <= min(shape.outputCount, shape.inputCount) else {
            throw .unsupportedTarget(
                module: module, setting: "r",
                reason: "rank \(rank) is more than the base's matrix has",
                file: compiler.configurationFile)
        }
        var change = try turn(linear, settings, &compiler)
        for index in 0..<rank { change[index * rank + index] -= 1 }
        let parts = try vectors(of: linear, module: module, count: rank, compiler)
        let roots = parts.values.map { $0.squareRoot() }
        for row in 0..<rank {
            for column in 0..<rank {
                change[row * rank + column] *=
                    settings.sharesValues ? roots[row] * roots[column] : parts.values[row]
            }
        }
        let left = TunerCompiler.product(
            Matrices.transposed(
                parts.left, rowCount: rank), change,
            rowCount: shape.outputCount, columnCount: rank, innerCount: rank)
        compiler.appendProduct(a: parts.right, b: left, rank: rank, at: linear)
    }

    /// diag(b) R diag(a). **Shape**: [rank, rank].
    private static func turn(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        let (slot, rank) = (Slot.linear(linear), settings.rank)
        let reason = "'r' is \(rank)"
        var matrix: [Float]
        if settings.isOrthogonal {
            let values = try compiler.floats(
                middle, at: slot, shape: [rank * (rank - 1) / 2], reason: reason)
            matrix = rotation(values, settings)
        } else {
            matrix = try compiler.floats(middle, at: slot, shape: [rank, rank], reason: reason)
        }
        if settings.scalesOutputs {
            let factors = try compiler.floats(after, at: slot, shape: [rank], reason: reason)
            for index in matrix.indices { matrix[index] *= factors[index / rank] }
        }
        if settings.scalesInputs {
            let factors = try compiler.floats(before, at: slot, shape: [rank], reason: reason)
            for index in matrix.indices { matrix[index] *= factors[index % rank] }
        }
        return matrix
    }

    /// (1 + Q) (1 − Q)⁻¹, or the first terms of its series.
    private static func rotation(_ values: [Float], _ settings: Settings) -> [Float] {
        var skew = Cayley.skew(above: values[...], size: settings.rank)
        guard let termCount = settings.termCount else {
            return Cayley.transform(skew.map { -$0 }, size: settings.rank)
        }
        let norm = skew.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        if let bound = settings.bound, norm > bound {
            for index in skew.indices { skew[index] *= Float(bound / norm) }
        }
        return Cayley.series(skew, size: settings.rank, termCount: termCount)
    }

    private static func vectors(
        of linear: LinearSlot, module: String, count: Int, _ compiler: TunerCompiler
    ) throws(AdapterError) -> SignedSingularVectors {
        let shape = compiler.slots.shape(of: linear)
        func refusal(_ reason: String) -> AdapterError {
            .unsupportedTarget(
                module: module, setting: "target_modules", reason: reason,
                file: compiler.configurationFile)
        }
        guard compiler.base.matrix(at: linear).type.blockElementCount == 1 else {
            throw refusal(
                "the signs of its singular vectors, which the file lacks, can't be had from a "
                    + "quantised base; merge it with PEFT where it was trained")
        }
        do {
            return try SignedSingularVectors(
                compiler.baseMatrix(linear), rowCount: shape.outputCount,
                columnCount: shape.inputCount, count: count,
                threadCount: compiler.pool.threadCount)
        } catch .undeterminedSign(let index) {
            throw refusal(
                "the sign of its singular vector \(index), which the file lacks, hangs on rounding "
                    + "errors of the library that computes it; merge it with PEFT where it was "
                    + "trained")
        } catch {
            throw refusal("the base's matrix has no singular value decomposition")
        }
    }
}
