internal import Kernels
internal import Transformer

/// FRoD: matrices of one kind share their right vectors; of each, the strengths of these are
/// trained, and a few strengths between them.
///
///     base_model.frod_V.<kind>                          [inputs, inputs]
///     base_model.frod_s_indices.<kind>                  [2, count]
///     base_model.frod_s_size.<kind>                     [2]
///     base_model.model.<module>.frod_lambda_l           [inputs]
///     base_model.model.<module>.frod_lambda_s_values    [count]
///
/// W' = U (S + diag(l)) Vᵀ, U the columns of W V⁻ᵀ at length 1. S has the values at its indices. A
/// kind is a module's name within its block, for example `self_attn_q_proj`.
///
/// **Source**: PEFT 0.21.
enum FRoD: LinearTuner {
    private static let diagonal = TensorPart(".frod_lambda_l")
    private static let values = TensorPart(".frod_lambda_s_values")
    private static let shortest = 1e-12

    /// What the modules of a kind share.
    struct Shared {
        /// Vᵀ. **Shape**: [inputs, inputs]
        let right: [Float]
        /// V⁻ᵀ. **Shape**: [inputs, inputs]
        let inverse: [Double]
        /// Places of S.
        let rows: [Int]
        let columns: [Int]
    }

    static let name = "FRoD"
    static let servesConv1D = true
    static let parts = [diagonal, values]
    static let trainingOnly: Set<String> = [
        "frod_dropout", "progressbar", "projection_prng_key", "regularization_alpha",
        "runtime_offload_base_weight", "sparse_rate",
    ]

    /// PEFT puts the adapter's name into these once more.
    static let sharedTakeDefault = false

    static func shared(_ slots: SlotTable) -> Set<String> {
        Set(
            slots.linearSlots.flatMap { slot in
                ["frod_V", "frod_s_indices", "frod_s_size"].map {
                    sharedName($0, kind(of: slots.name(of: .linear(slot))))
                }
            })
    }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> [String: Shared] {
        try checkProjection(&configuration)
        return [:]
    }

    static func prepare(
        _ shared: inout [String: Shared], _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        for linear in try compiler.targetedLinearSlots() {
            let kind = kind(of: compiler.slots.name(of: .linear(linear)))
            guard shared[kind] == nil else { continue }
            shared[kind] = try readShared(kind, linear, &compiler)
        }
    }

    static func add(
        _ linear: LinearSlot, _ shared: [String: Shared], _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        guard let shared = shared[kind(of: compiler.slots.name(of: .linear(linear)))] else {
            return
        }
        try add(linear, shared, &compiler)
    }

    private static func checkProjection(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) {
        let name = "save_projection"
        guard try configuration.flag(name, standard: true) else {
            throw .unsupportedSetting(
                name, value: "false",
                reason:
                    "the vectors that modules share aren't in the file, and their signs, on which "
                    + "the trained values depend, differ from one library of linear algebra to the "
                    + "next; save the adapter with save_projection set",
                file: configuration.file)
        }
    }

    private static func kind(of module: String) -> String {
        let components = module.split(separator: ".")
        guard let last = components.last else { return module }
        guard components.count > 1, let parent = components.dropLast().last, Int(parent) == nil
        else { return String(last) }
        return "\(parent)_\(last)"
    }

    private static func sharedName(_ tensor: String, _ kind: String) -> String {
        "base_model.\(tensor).\(kind)"
    }

    private static func readShared(
        _ kind: String, _ linear: LinearSlot, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> Shared {
        let inputCount = compiler.slots.shape(of: linear).inputCount
        let reason = "modules of kind '\(kind)' have \(inputCount) inputs"
        let file = compiler.file
        func require(_ name: String) throws(AdapterError) -> AdapterTensor {
            try compiler.tensors.requireShared(
                sharedName(name, kind), reason: "the configuration targets modules of this kind")
        }
        let right = try require("frod_V")
        try compiler.check(right, shape: [inputCount, inputCount], reason: reason)
        let size = try require("frod_s_size")
        try compiler.check(size, shape: [2], reason: "it is a matrix's shape")
        let places = try require("frod_s_indices")
        let count = places.shape.last ?? 0
        try compiler.check(
            places, shape: [2, count], reason: "places are a row and a column each")
        if try size.integers(in: 0..<Int.max, meaning: "sizes", file: file)
            != [inputCount, inputCount]
        {
            throw .invalidValues(tensor: size.name, reason: reason, file: file)
        }
        let indices = try places.integers(in: 0..<inputCount, meaning: "inputs", file: file)
        let transposed = Matrices.transposed(
            try right.floats(file: file), rowCount: inputCount)
        return Shared(
            right: transposed,
            inverse: try inverse(transposed, inputCount, tensor: right.name, compiler),
            rows: Array(indices.prefix(count)), columns: Array(indices.suffix(count)))
    }

    private static func inverse(
        _ matrix: [Float], _ size: Int, tensor: String, _ compiler: TunerCompiler
    ) throws(AdapterError) -> [Double] {
        var identity = [Double](repeating: 0, count: size * size)
        for index in 0..<size { identity[index * size + index] = 1 }
        guard
            let inverse = LinearAlgebra.solve(
                identity, dividedBy: matrix.map(Double.init), rowCount: size, size: size,
                threadCount: compiler.pool.threadCount)
        else {
            throw .invalidValues(
                tensor: tensor, reason: "it has no inverse", file: compiler.file)
        }
        return inverse
    }

    private static func add(
        _ linear: LinearSlot, _ shared: Shared, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let (outputCount, inputCount) = (shape.outputCount, shape.inputCount)
        let diagonal = try compiler.floats(
            diagonal, at: slot, shape: [inputCount], reason: "'\(module)' has \(inputCount) inputs")
        let values = try compiler.floats(
            values, at: slot, shape: [shared.rows.count],
            reason: "modules of its kind share \(shared.rows.count) places")
        let base = compiler.baseMatrix(linear)
        var left = LinearAlgebra.product(
            base.map(Double.init), shared.inverse, rowCount: outputCount, columnCount: inputCount,
            innerCount: inputCount, threadCount: compiler.pool.threadCount
        ).map { Float($0) }
        scale(&left, width: inputCount, diagonal: diagonal, values: values, shared)
        var delta = base.map { -$0 }
        delta.withUnsafeMutableBufferPointer { delta in
            BLAS.multiplyAdd(
                left: left, right: shared.right, into: delta.baseAddress!, rowCount: outputCount,
                columnCount: inputCount, innerCount: inputCount, scaling: 1,
                threadCount: compiler.pool.threadCount)
        }
        compiler.appendDense(delta, at: linear)
    }

    /// U (S + diag(l)) from vectors that have U's directions, in their place.
    private static func scale(
        _ vectors: inout [Float], width: Int, diagonal: [Float], values: [Float], _ shared: Shared
    ) {
        let inverseLengths = lengths(vectors, width: width).map { $0 > shortest ? 1 / $0 : 0 }
        var unit = [Float](repeating: 0, count: width)
        for start in stride(from: 0, to: vectors.count, by: width) {
            for column in 0..<width {
                unit[column] = Float(Double(vectors[start + column]) * inverseLengths[column])
                vectors[start + column] = diagonal[column] * unit[column]
            }
            for (index, value) in values.enumerated() {
                vectors[start + shared.columns[index]] += value * unit[shared.rows[index]]
            }
        }
    }

    /// Of the columns.
    private static func lengths(_ matrix: [Float], width: Int) -> [Double] {
        var squares = [Double](repeating: 0, count: width)
        for start in stride(from: 0, to: matrix.count, by: width) {
            for column in 0..<width {
                squares[column] += Double(matrix[start + column]) * Double(matrix[start + column])
            }
        }
        return squares.map { $0.squareRoot() }
    }
}
