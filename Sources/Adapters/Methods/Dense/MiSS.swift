internal import StrictJSON
internal import Transformer

/// MiSS: one small block that every piece of the input, or of the weights, shares.
///
///     base_model.model.<module>.miss_block
///         [rank, outputs]             y += blockᵀ Σ pieces of x, of `rank` values each
///         [rank, mini_r]              "mini": the same block again and again along the outputs
///         [outputs / rank, rank, rank] "bat": W' = W + W block + block, in squares of W
///
/// **Source**: arXiv 2409.15371; PEFT 0.21.
enum MiSS: LinearTuner {
    private static let block = TensorPart(".miss_block")

    enum Form {
        case folded
        /// With the width of the repeated block.
        case mini(Int)
        case bat
    }

    struct Settings {
        let rank: Int
        let form: Form
    }

    static let name = "MiSS"
    static let parts: [TensorPart] = [block]
    static let trainingOnly: Set<String> = ["miss_dropout"]

    static func isBesideBase(_ settings: MiSS.Settings) -> Bool {
        if case .bat = settings.form { false } else { true }
    }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let limit = AdapterConfiguration.rankLimit
        let rank = try configuration.optionalCount("r", limit: limit) ?? 64
        let width = try configuration.optionalCount("mini_r", limit: 1 << 24) ?? 1
        let name = "init_weights"
        let form: Form
        switch configuration.value(name) {
        case nil, .bool: form = .folded
        case .string("bat"): form = .bat
        case .string("mini"): form = .mini(width)
        case let value?:
            throw configuration.invalid(name, value, expected: "true, false, \"bat\" or \"mini\"")
        }
        return Settings(rank: rank, form: form)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        try add(block, linear, settings, &compiler)
    }

    /// - Parameter block: the name that the block's tensors have.
    static func add(
        _ block: TensorPart, _ linear: LinearSlot, _ settings: Settings,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let module = compiler.slots.name(of: slot)
        let rank = settings.rank
        let width: Int
        switch settings.form {
        case .bat: return try addBat(block, linear, rank, &compiler)
        case .folded: width = shape.outputCount
        case .mini(let miniature): width = miniature
        }
        guard shape.outputCount % width == 0 else {
            throw .invalidSetting(
                "mini_r", value: "\(width)",
                expected: "a divisor of \(shape.outputCount), the outputs of '\(module)'",
                file: compiler.configurationFile)
        }
        let core = try compiler.floats(
            block, at: slot, shape: [rank, width],
            reason: "'r' is \(rank), and '\(module)' has \(shape.outputCount) outputs")
        compiler.append(
            .update(
                FoldedMap(
                    core: core, pieceLength: rank, inputCount: shape.inputCount,
                    outputCount: shape.outputCount)), at: linear)
    }

    /// ΔW = W B + B in squares of `rank`: the squares of a row of W share one B.
    private static func addBat(
        _ block: TensorPart, _ linear: LinearSlot, _ rank: Int, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let module = compiler.slots.name(of: slot)
        guard shape.outputCount % rank == 0, shape.inputCount % rank == 0 else {
            throw .invalidSetting(
                "r", value: "\(rank)",
                expected: "with \"bat\", a divisor of both sides of '\(module)', "
                    + "[\(shape.outputCount), \(shape.inputCount)]",
                file: compiler.configurationFile)
        }
        let blocks = try compiler.floats(
            block, at: slot, shape: [shape.outputCount / rank, rank, rank],
            reason: "'r' is \(rank), and '\(module)' has \(shape.outputCount) outputs")
        let base = compiler.baseMatrix(linear)
        var delta: [Float] = []
        delta.reserveCapacity(base.count)
        let bandCount = rank * shape.inputCount
        for band in 0..<shape.outputCount / rank {
            let block = Array(blocks[band * rank * rank..<(band + 1) * rank * rank])
            // Row-major, a band [rank, inputs] is also [rank · inputs / rank, rank].
            var change = TunerCompiler.product(
                Array(base[band * bandCount..<(band + 1) * bandCount]), block,
                rowCount: shape.inputCount, columnCount: rank, innerCount: rank)
            for index in change.indices {
                let (row, column) = (index / shape.inputCount, index % rank)
                change[index] += block[row * rank + column]
            }
            delta += change
        }
        compiler.appendDense(delta, at: linear)
    }
}
