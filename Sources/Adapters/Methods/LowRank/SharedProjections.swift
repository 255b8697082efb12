internal import Kernels
internal import Transformer

/// Frozen projections that all modules of an adapter share: A of the inputs, B to the outputs. A
/// module takes A's first columns and B's first rows, so that one matrix serves all modules of a
/// width.
struct SharedProjections {
    /// By number of inputs. **Shape**: [rank, inputs]
    private var a: [Int: RowMatrix] = [:]
    /// By number of outputs. **Shape**: [outputs, rank]
    private var b: [Int: PackedMatrix] = [:]

    /// - Parameters:
    ///   - a: **Shape** [rank or more, inputs of `widest`].
    ///   - b: **Shape** [outputs of `widest`, rank].
    ///   - shapes: of all targeted modules.
    init(
        a: [Float], b: [Float], rank: Int, widest: LinearShape, shapes: [LinearShape],
        _ compiler: TunerCompiler
    ) {
        for width in Set(shapes.map(\.inputCount)) {
            var rows: [Float] = []
            rows.reserveCapacity(rank * width)
            for row in 0..<rank {
                rows += a[row * widest.inputCount..<row * widest.inputCount + width]
            }
            self.a[width] = rows.withUnsafeBytes {
                RowMatrix(
                    copying: WeightMatrix(
                        pointer: $0.baseAddress!, type: .f32, outputCount: rank, inputCount: width))
            }
        }
        for width in Set(shapes.map(\.outputCount)) {
            self.b[width] = compiler.packed(Array(b[..<(width * rank)]), width, rank)
        }
    }

    /// y += λb ⊙ B (λd ⊙ A x)
    func update(_ shape: LinearShape, inner: [Float], outer: [Float]) -> LinearOperator? {
        guard let a = a[shape.inputCount], let b = b[shape.outputCount] else { return nil }
        return .lowRank(
            LowRankOperator(
                a: a, b: b, scaling: 1, factors: FeatureFactors(inner: inner, outer: outer)))
    }
}

/// A method that scales the features of such projections.
protocol SharedProjectionsTuner: LinearTuner where Settings == SharedProjectionsSettings {
    /// What its tensors' names begin with.
    static var prefix: String { get }
    /// A has so many blocks of `rank` rows; only the first counts at inference.
    static var blockCount: Int { get }
    /// Settings of its own without a meaning in inference.
    static var ownTrainingOnly: Set<String> { get }
}

struct SharedProjectionsSettings {
    let rank: Int
    /// nil where the file has the projections.
    let seed: UInt64?
    var projections: SharedProjections?
}

extension SharedProjectionsTuner {
    static var servesConv1D: Bool { true }

    private static var innerFactors: TensorPart { TensorPart(".\(prefix)_lambda_d") }
    private static var outputFactors: TensorPart { TensorPart(".\(prefix)_lambda_b") }
    private static var nameOfA: String { "base_model.\(prefix)_A" }
    private static var nameOfB: String { "base_model.\(prefix)_B" }

    static var parts: [TensorPart] { [innerFactors, outputFactors] }
    static var ownTrainingOnly: Set<String> { [] }
    static var trainingOnly: Set<String> {
        ownTrainingOnly.union(["\(prefix)_dropout", "d_initial"])
    }

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func shared(_ slots: SlotTable) -> Set<String> { [nameOfA, nameOfB] }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let rank = try configuration.optionalCount("r", limit: LoRASettings.rankLimit)
        let seed = try configuration.seed("projection_prng_key", standard: 0)
        let isSaved = try configuration.flag("save_projection", standard: true)
        return Settings(rank: rank ?? 256, seed: isSaved ? nil : seed)
    }

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        settings.projections = try projections(settings, &compiler)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        guard let shared = settings.projections else { return }
        try add(linear, shared, rank: settings.rank, &compiler)
    }

    private static func projections(
        _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> SharedProjections {
        let shape = try compiler.largestTargetShape()
        let slots = compiler.slots
        let shapes = try compiler.targetedLinearSlots().map { slots.shape(of: $0) }
        let (rank, rowCount) = (settings.rank, blockCount * settings.rank)
        if let seed = settings.seed {
            try compiler.checkDrawn(
                rowCount * shape.inputCount + shape.outputCount * rank,
                setting: "save_projection")
            var generator = TorchGenerator(seed: seed)
            // Kaiming's bound for rectified units: √(6 / inputs).
            let a = generator.uniform(
                count: rowCount * shape.inputCount,
                bound: Float((6 / Double(shape.inputCount)).squareRoot()))
            let b = generator.uniform(
                count: shape.outputCount * rank,
                bound: Float((6 / Double(rank)).squareRoot()))
            return SharedProjections(
                a: a, b: b, rank: rank, widest: shape, shapes: shapes, compiler)
        }
        let reason =
            "'r' is \(rank), and targeted modules have up to \(shape.inputCount) "
            + "inputs and \(shape.outputCount) outputs"
        let a = try compiler.sharedFloats(
            nameOfA, shape: [rowCount, shape.inputCount], reason: reason)
        let b = try compiler.sharedFloats(
            nameOfB, shape: [shape.outputCount, rank], reason: reason)
        return SharedProjections(
            a: a, b: b, rank: rank, widest: shape, shapes: shapes, compiler)
    }

    private static func add(
        _ linear: LinearSlot, _ shared: SharedProjections, rank: Int,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let inner = try compiler.floats(
            innerFactors, at: slot, shape: [blockCount * rank],
            reason: "'r' is \(rank)")
        let outer = try compiler.floats(
            outputFactors, at: slot, shape: [shape.outputCount],
            reason: "'\(module)' has \(shape.outputCount) outputs")
        let update = shared.update(shape, inner: Array(inner.prefix(rank)), outer: outer)
        if let update { compiler.append(update, at: linear) }
    }
}

extension TunerCompiler {
    /// The values of a tensor that belongs to no module.
    ///
    /// - Parameter reason: what the shape follows from.
    mutating func sharedFloats(
        _ name: String, shape: [Int], reason: String
    ) throws(AdapterError) -> [Float] {
        let tensor = try tensors.requireShared(
            name, reason: "the configuration says that it is saved")
        try check(tensor, shape: shape, reason: reason)
        return try floats(tensor)
    }
}
