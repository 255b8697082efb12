internal import Transformer

/// Super-tuning: chosen weights, changed one by one; as Supra, with LoRA beside them.
///
///     base_model.model.<module>.supertuning_values           [count]
///     base_model.model.<module>.supertuning_indices          [count] places in the weight, row-major
///     base_model.model.<module>.supertuning_lora_A.weight    [rank, inputs]
///     base_model.model.<module>.supertuning_lora_B.weight    [outputs, rank]
///
/// Without `save_precomputed_indices`, the places are those of the largest (or smallest) magnitudes
/// of the base, in their order.
///
/// **Source**: PEFT 0.21.
enum Supertuning: LinearTuner {
    private static let values = TensorPart(".supertuning_values")
    private static let indices = TensorPart(".supertuning_indices")
    private static let a = TensorPart(".supertuning_lora_A.weight")
    private static let b = TensorPart(".supertuning_lora_B.weight")

    struct Settings {
        let sparsity: Double
        let takesLargest: Bool
        let savesIndices: Bool
        let rank: Int?
        let scaling: Float
    }

    static let name = "Super-tuning"
    static let parts = [values, indices, a, b]
    static let trainingOnly: Set<String> = ["lora_dropout"]

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        try addValues(linear, settings, &compiler)
        if let rank = settings.rank {
            try addLoRA(linear, rank, settings.scaling, &compiler)
        }
    }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let sparsity = try configuration.number("sparsity", standard: 0.99)
        guard (0..<1).contains(sparsity) else {
            throw .invalidSetting(
                "sparsity", value: "\(sparsity)", expected: "a number from 0, below 1",
                file: configuration.file)
        }
        let rank = try configuration.optionalCount("r", limit: AdapterConfiguration.rankLimit)
        let alpha = try configuration.number("lora_alpha", standard: Double(2 * (rank ?? 1)))
        return Settings(
            sparsity: sparsity,
            takesLargest: try configuration.flag("select_top", standard: true),
            savesIndices: try configuration.flag("save_precomputed_indices", standard: true),
            rank: rank, scaling: Float(alpha / Double(rank ?? 1)))
    }

    private static func addValues(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let weightCount = shape.outputCount * shape.inputCount
        let count = Int(Double(weightCount) * (1 - settings.sparsity))
        let reason = "'sparsity' leaves \(count) of the \(weightCount) weights of '\(module)'"
        let changes = try compiler.floats(values, at: slot, shape: [count], reason: reason)
        let places: [Int]
        if settings.savesIndices {
            let tensor = try compiler.require(indices, at: slot)
            try compiler.check(tensor, shape: [count], reason: reason)
            places = try tensor.integers(
                in: 0..<weightCount, meaning: "places of weights", file: compiler.file)
        } else {
            places = try MagnitudeOrder(
                linear, takesLargest: settings.takesLargest, compiler
            ).places(count, values: changes)
        }
        compiler.append(
            .update(
                SparseMap(
                    inputCount: shape.inputCount, outputCount: shape.outputCount,
                    entries: zip(places, changes).map {
                        ($0 / shape.inputCount, $0 % shape.inputCount, $1)
                    })), at: linear)
    }

    private static func addLoRA(
        _ linear: LinearSlot, _ rank: Int, _ scaling: Float, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let reason =
            "'r' is \(rank), and the matrix is [\(shape.outputCount), \(shape.inputCount)]"
        let a = try compiler.floats(a, at: slot, shape: [rank, shape.inputCount], reason: reason)
        let b = try compiler.floats(b, at: slot, shape: [shape.outputCount, rank], reason: reason)
        compiler.appendProduct(a: a, b: b, rank: rank, scaling: scaling, at: linear)
    }
}

/// The places of a base's weights in the order of their magnitudes.
private struct MagnitudeOrder {
    private let linear: LinearSlot
    private let compiler: TunerCompiler
    private let magnitudes: [Float]
    private let takesLargest: Bool

    init(_ linear: LinearSlot, takesLargest: Bool, _ compiler: TunerCompiler) {
        self.linear = linear
        self.compiler = compiler
        self.takesLargest = takesLargest
        magnitudes = compiler.baseMatrix(linear).map(abs)
    }

    /// The first `count` places.
    ///
    /// - Parameter values: what the places in order get: weights of equal magnitude may have equal
    ///   ones only, as their order is nobody's to know.
    /// - Throws: `AdapterError.unsupportedSetting` where equal magnitudes leave it open which
    ///   weights are meant.
    func places(_ count: Int, values: [Float]) throws(AdapterError) -> [Int] {
        guard count > 0 else { return [] }
        // Sorting values is quick, and leaves few places to sort.
        let sorted = magnitudes.sorted()
        let limit = takesLargest ? sorted[sorted.count - count] : sorted[count - 1]
        let order = magnitudes.indices.filter {
            takesLargest ? magnitudes[$0] >= limit : magnitudes[$0] <= limit
        }.sorted {
            takesLargest ? magnitudes[$0] > magnitudes[$1] : magnitudes[$0] < magnitudes[$1]
        }
        for index in 1..<max(1, min(count + 1, order.count))
        where magnitudes[order[index - 1]] == magnitudes[order[index]] {
            guard index < count, values[index - 1] == values[index] else {
                throw .unsupportedSetting(
                    "save_precomputed_indices", value: "false",
                    reason: "weights of '\(compiler.slots.name(of: .linear(linear)))' have equal "
                        + "magnitudes, so that which of them were trained can't be told; save the "
                        + "adapter with save_precomputed_indices set",
                    file: compiler.configurationFile)
            }
        }
        return Array(order.prefix(count))
    }
}
