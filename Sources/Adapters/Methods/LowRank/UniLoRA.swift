internal import Transformer

/// Uni-LoRA: every entry of all factors is one of a few trained values, times a factor of its own.
///
///     base_model.unilora_theta_d                         [theta_d_length]
///     base_model.model.<module>.unilora_indices_A, unilora_scales_A    [rank, inputs]
///     base_model.model.<module>.unilora_indices_B, unilora_scales_B    [outputs, rank]
///
/// y += B A x, unscaled. Without `save_indices`, which entry takes which value is drawn again from
/// `proj_seed`, and its factor is 1 / √(entries that take this value).
///
/// **Source**: arXiv 2506.00799; PEFT 0.21.
enum UniLoRA: LinearTuner {
    private static let indicesA = TensorPart(".unilora_indices_A")
    private static let indicesB = TensorPart(".unilora_indices_B")
    private static let scalesA = TensorPart(".unilora_scales_A")
    private static let scalesB = TensorPart(".unilora_scales_B")
    private static let theta = "base_model.unilora_theta_d"

    struct Settings {
        let rank: Int
        let length: Int
        let seed: UInt64
        let savesIndices: Bool
        var values: [Float] = []
        /// Entries of the factors A and B of each module, drawn.
        var entries: [LinearSlot: (a: [Float], b: [Float])] = [:]
    }

    static let name = "Uni-LoRA"
    static let servesConv1D = true
    static let parts: [TensorPart] = [indicesA, indicesB, scalesA, scalesB]
    static let trainingOnly: Set<String> = ["init_theta_d_bound", "unilora_dropout"]

    static func shared(_ slots: SlotTable) -> Set<String> { [theta] }

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let rank = try configuration.optionalCount(
            "r", limit: AdapterConfiguration.rankLimit)
        let length = try configuration.optionalCount("theta_d_length", limit: 1 << 31)
        return Settings(
            rank: rank ?? 4, length: length ?? 256,
            seed: try configuration.seed("proj_seed", standard: 42),
            savesIndices: try configuration.flag("save_indices"))
    }

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let tensor = try compiler.tensors.requireShared(
            theta, reason: "all factors take their values from it")
        try compiler.check(
            tensor, shape: [settings.length],
            reason: "'theta_d_length' is \(settings.length)")
        settings.values = try compiler.floats(tensor)
        guard !settings.savesIndices else { return }
        let linears = try compiler.targetedLinearSlots()
        let shapes = linears.map { compiler.slots.shape(of: $0) }
        let entryCount = shapes.reduce(0) {
            $0 + settings.rank * ($1.outputCount + $1.inputCount)
        }
        try compiler.checkDrawn(entryCount, setting: "save_indices")
        let indices = assignment(of: entryCount, settings)
        var counts = [Int](repeating: 0, count: settings.length)
        for index in indices { counts[index] += 1 }
        let entries = indices.map {
            settings.values[$0] * (1 / Float(counts[$0]).squareRoot())
        }
        var start = 0
        for (linear, shape) in zip(linears, shapes) {
            let middle = start + settings.rank * shape.inputCount
            let end = middle + settings.rank * shape.outputCount
            settings.entries[linear] = (
                Array(entries[start..<middle]), Array(entries[middle..<end])
            )
            start = end
        }
    }

    /// All values equally often, those that go once more by lot, then all shuffled.
    private static func assignment(of count: Int, _ settings: Settings) -> [Int] {
        var generator = NumPyGenerator(seed: settings.seed)
        let each = count / settings.length
        var indices = (0..<settings.length).flatMap { [Int](repeating: $0, count: each) }
        let rest = count % settings.length
        if rest > 0 { indices += generator.choice(of: settings.length, count: rest) }
        generator.shuffle(&indices)
        return indices
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let shape = compiler.slots.shape(of: linear)
        let rank = settings.rank
        let a: [Float]
        let b: [Float]
        if settings.savesIndices {
            a = try entries(
                indicesA, scalesA, [rank, shape.inputCount], linear, settings, &compiler)
            b = try entries(
                indicesB, scalesB, [shape.outputCount, rank], linear, settings, &compiler)
        } else {
            a = settings.entries[linear]?.a ?? []
            b = settings.entries[linear]?.b ?? []
        }
        compiler.appendProduct(a: a, b: b, rank: rank, at: linear)
    }

    private static func entries(
        _ indices: TensorPart, _ scales: TensorPart, _ shape: [Int], _ linear: LinearSlot,
        _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        let reason =
            "'r' is \(settings.rank), and '\(compiler.slots.name(of: .linear(linear)))' has this side"
        let tensor = try compiler.require(indices, at: .linear(linear))
        try compiler.check(tensor, shape: shape, reason: reason)
        let chosen = try tensor.integers(
            in: 0..<settings.length, meaning: "places of 'theta_d'", file: compiler.file)
        let factors = try compiler.require(scales, at: .linear(linear))
        try compiler.check(factors, shape: shape, reason: reason)
        // Frozen, they don't count as trained.
        return zip(chosen, try factors.floats(file: compiler.file)).map {
            settings.values[$0] * $1
        }
    }
}
