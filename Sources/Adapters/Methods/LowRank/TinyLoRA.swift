internal import Kernels
internal import Transformer

/// TinyLoRA: frozen factors of a matrix, between them a small matrix of a few trained values.
///
///     base_model.tinylora_v.<group>              [u], shared by the modules of a group
///     base_model.model.<module>.tinylora_A       [rank, inputs]
///     base_model.model.<module>.tinylora_B       [outputs, rank]
///     base_model.model.<module>.tinylora_P       [u, rank, rank]
///
/// y += B R A x with R = Σ v_i P_i, and for an embedding B R A in the table's shape. Without
/// `save_projection`, P is drawn again: normal values of variance 1 / rank, for the n-th module
/// from `projection_seed` + n.
///
/// **Source**: arXiv 2602.04118; PEFT 0.21.
enum TinyLoRA: TunerMethod {
    private static let a = TensorPart(".tinylora_A")
    private static let b = TensorPart(".tinylora_B")
    private static let projection = TensorPart(".tinylora_P")

    private static func shared(group: Int) -> String { "base_model.tinylora_v.\(group)" }

    struct Settings {
        let rank: Int
        let valueCount: Int
        let tying: Double
        let seed: UInt64
        let savesProjection: Bool
        /// Places among the targeted modules.
        var numbers: [Slot: Int] = [:]
        /// Trained values of each group.
        var values: [[Float]] = []

        /// Modules in order form groups of one size, the last of which takes the rest.
        var groupCount: Int {
            max(1, Int((Double(numbers.count) * (1 - tying)).rounded(.toNearestOrEven)))
        }

        func group(of slot: Slot) -> Int {
            let size = max(1, numbers.count / groupCount)
            return min((numbers[slot] ?? 0) / size, groupCount - 1)
        }
    }

    static let name = "TinyLoRA"
    static let servesConv1D = true
    static let parts = [a, b, projection]
    static let trainingOnly: Set<String> = ["init_v_bound", "tinylora_dropout"]

    /// PEFT puts the adapter's name into these once more.
    static let sharedTakeDefault = false

    static func shared(_ slots: SlotTable) -> Set<String> {
        Set(slots.all.indices.map(shared(group:)))
    }

    static func refusal(of slot: Slot) -> String? {
        guard case .norm = slot else { return nil }
        return "TinyLoRA works on linear layers and embeddings, this is a norm"
    }

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let limit = AdapterConfiguration.rankLimit
        let tying = try configuration.number("weight_tying", standard: 0)
        guard (0...1).contains(tying) else {
            throw .invalidSetting(
                "weight_tying", value: "\(tying)", expected: "a number from 0 to 1",
                file: configuration.file)
        }
        return Settings(
            rank: try configuration.optionalCount("r", limit: limit) ?? 2,
            valueCount: try configuration.optionalCount("u", limit: 1 << 24) ?? 64, tying: tying,
            seed: try configuration.seed("projection_seed", standard: 42),
            savesProjection: try configuration.flag("save_projection", standard: true))
    }

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let targeted = try compiler.targetedSlots()
        let slots = compiler.slots.all.filter(targeted.contains)
        settings.numbers = Dictionary(uniqueKeysWithValues: zip(slots, slots.indices))
        guard !slots.isEmpty else { return }
        for group in 0..<settings.groupCount {
            let tensor = try compiler.tensors.requireShared(
                shared(group: group),
                reason:
                    "'weight_tying' makes \(settings.groupCount) groups of \(slots.count) modules")
            try compiler.check(
                tensor, shape: [settings.valueCount], reason: "'u' is \(settings.valueCount)")
            settings.values.append(try compiler.floats(tensor))
        }
    }

    static func add(
        _ slot: Slot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let module = compiler.slots.name(of: slot)
        let shape: LinearShape
        switch slot {
        case .linear(let linear): shape = compiler.slots.shape(of: linear)
        case .embedding:
            shape = LinearShape(
                outputCount: compiler.slots.vocabularyCount, inputCount: compiler.slots.hiddenSize)
        case .norm: return
        }
        let rank = min(settings.rank, shape.outputCount, shape.inputCount)
        let reason =
            "'r' is \(settings.rank), and '\(module)' is [\(shape.outputCount), \(shape.inputCount)]"
        let a = try frozen(a, at: slot, [rank, shape.inputCount], reason, &compiler)
        let b = try frozen(b, at: slot, [shape.outputCount, rank], reason, &compiler)
        let core = try core(slot, settings, rank: rank, &compiler)
        if case .linear(let linear) = slot {
            let product = TunerCompiler.product(
                b, core, rowCount: shape.outputCount, columnCount: rank, innerCount: rank)
            return compiler.appendProduct(a: a, b: product, rank: rank, at: linear)
        }
        let product = TunerCompiler.product(
            core, a, rowCount: rank, columnCount: shape.inputCount, innerCount: rank)
        let columns = Matrices.transposed(
            product, rowCount: rank)
        // PEFT adds to what the module gives, scaled or not.
        let scale = compiler.base.configuration.embedding.moduleScale
        compiler.operators.embedding.append(
            .lowRank(
                rows: b, b: compiler.packed(columns, shape.inputCount, rank), scaling: 1 / scale))
    }

    /// R = Σ v_i P_i, **shape** [rank, rank].
    private static func core(
        _ slot: Slot, _ settings: Settings, rank: Int, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        let values = settings.values[settings.group(of: slot)]
        let projections: [Float]
        if settings.savesProjection {
            projections = try frozen(
                projection, at: slot, [values.count, rank, rank],
                "'u' is \(values.count), and the module's rank is \(rank)", &compiler)
        } else {
            let count = values.count * rank * rank
            try compiler.checkDrawn(
                .product(count, settings.numbers.count), setting: "save_projection")
            var generator = TorchGenerator(
                seed: settings.seed &+ UInt64(settings.numbers[slot] ?? 0))
            projections = generator.normal(
                count: count, deviation: 1 / Double(rank).squareRoot())
        }
        return TunerCompiler.product(
            values, projections, rowCount: 1, columnCount: rank * rank, innerCount: values.count)
    }

    /// Values that were not trained, and don't count as such.
    private static func frozen(
        _ part: TensorPart, at slot: Slot, _ shape: [Int], _ reason: String,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float] {
        let tensor = try compiler.require(part, at: slot)
        try compiler.check(tensor, shape: shape, reason: reason)
        return try tensor.floats(file: compiler.file)
    }
}
