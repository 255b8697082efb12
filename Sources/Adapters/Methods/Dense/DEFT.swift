internal import Kernels
internal import Transformer

/// DEFT: a subspace of the outputs is taken from the weights, and filled anew; as PaRa, only taken.
///
///     base_model.model.<module>.deft_P    [outputs, rank]
///     base_model.model.<module>.deft_R    [rank, inputs]    (not with `para`)
///
/// W' = W − Q Sᵀ W + Q s R: with Q = P and S = relu(P), or both the orthogonal factor of P = Q U.
/// All of it but W is a product of rank columns: Q (s R − Sᵀ W).
///
/// **Source**: PEFT 0.21; PaRa, arXiv 2502.14617.
enum DEFT: LinearTuner {
    private static let directions = TensorPart(".deft_P")
    private static let injection = TensorPart(".deft_R")

    struct Settings {
        let rank: Int
        let alpha: Double?
        let isOrthogonal: Bool
        let onlyTakes: Bool
    }

    static let name = "DEFT"
    static let servesConv1D = true
    static let parts: [TensorPart] = [directions, injection]
    static let trainingOnly: Set<String> = ["deft_dropout", "init_scale"]

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let rank = try configuration.optionalCount(
            "r", limit: AdapterConfiguration.rankLimit)
        let alpha = try configuration.number("alpha", standard: 0)
        let method = try configuration.choice(
            "decomposition_method", ["relu", "qr"], standard: "relu")
        return Settings(
            rank: rank ?? 8, alpha: alpha == 0 ? nil : alpha, isOrthogonal: method == "qr",
            onlyTakes: try configuration.flag("para"))
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let rank = min(settings.rank, shape.outputCount)
        let reason =
            "'r' is \(settings.rank), and '\(module)' is [\(shape.outputCount), \(shape.inputCount)]"
        var left = try compiler.floats(
            directions, at: slot, shape: [shape.outputCount, rank], reason: reason)
        var rows = [Float](repeating: 0, count: rank * shape.inputCount)
        if !settings.onlyTakes {
            let scaling = settings.alpha.map { Float($0 / Double(rank)) } ?? 1
            rows = try compiler.floats(
                injection, at: slot, shape: [rank, shape.inputCount], reason: reason
            ).map { scaling * $0 }
        }
        if settings.isOrthogonal {
            left = OrthogonalFactor.of(left, rowCount: shape.outputCount, columnCount: rank)
        }
        let right = settings.isOrthogonal ? left : left.map { max(0, $0) }
        rows.withUnsafeMutableBufferPointer {
            BLAS.multiplyAdd(
                left: Matrices.transposed(
                    right, rowCount: shape.outputCount),
                right: compiler.baseMatrix(linear), into: $0.baseAddress!, rowCount: rank,
                columnCount: shape.inputCount, innerCount: shape.outputCount, scaling: -1)
        }
        compiler.appendProduct(a: rows, b: left, rank: rank, at: linear)
    }
}
