internal import StrictJSON
internal import Transformer

/// AdaLoRA: a low-rank update in the form of a singular value decomposition, with a rank that
/// training chose for each module.
///
///     base_model.model.<module>.lora_A    [rank, inputs]
///     base_model.model.<module>.lora_B    [outputs, rank]
///     base_model.model.<module>.lora_E    [rank, 1]
///
/// y += B (E ⊙ A x) · scaling / (rank before pruning + 1e-5)
///
/// **Source**: arXiv 2303.10512; PEFT 0.21.
enum AdaLoRA: LinearTuner {
    private static let a = TensorPart(".lora_A")
    private static let b = TensorPart(".lora_B")
    private static let e = TensorPart(".lora_E")

    struct Settings {
        /// The rank that training began with; PEFT divides by it whatever is left.
        let initialRank: Int
        let alpha: Double
        /// By module; nil: of the initial rank.
        let ranks: [String: Int]
    }

    static let name = "AdaLoRA"
    static let servesConv1D = true
    static let parts: [TensorPart] = [a, b, e]
    static let trainingOnly: Set<String> = [
        "alpha_pattern", "beta1", "beta2", "deltaT", "init_lora_weights", "lora_dropout",
        "orth_reg_weight", "qalora_group_size", "r", "target_r", "tfinal", "tinit",
        "total_step", "use_rslora", "megatron_core", "loftq_config", "eva_config",
        "corda_config", "lora_ga_config",
    ]
    static let unsupported: [(name: String, reason: String)] = [
        ("use_dora", "AdaLoRA has no magnitudes")
    ]

    static func isBesideBase(_ settings: Settings) -> Bool { true }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings {
        let name = "rank_pattern"
        var ranks: [String: Int] = [:]
        for (key, value) in try configuration.members(name, limit: 1 << 16) {
            guard let chosen = value.arrayValue, chosen.allSatisfy({ $0.boolValue != nil }) else {
                throw configuration.invalid(name, value, expected: "lists of true and false")
            }
            // PEFT's keys end in the tensor's name.
            let module = key.hasSuffix(e.suffix) ? String(key.dropLast(e.suffix.count)) : key
            ranks[module] = chosen.count { $0.boolValue == true }
        }
        let initialRank = try configuration.optionalCount(
            "init_r", limit: LoRASettings.rankLimit)
        let alpha = configuration.value("lora_alpha")
        return Settings(
            initialRank: initialRank ?? 12,
            alpha: try alpha.map { (value) throws(AdapterError) in
                try configuration.number(value, name: "lora_alpha")
            } ?? 8,
            ranks: ranks)
    }

    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let shape = compiler.slots.shape(of: linear)
        let module = compiler.slots.name(of: slot)
        let rank = settings.ranks[module] ?? settings.initialRank
        let reason = "'init_r' and 'rank_pattern' give '\(module)' rank \(rank)"
        var a = try compiler.floats(a, at: slot, shape: [rank, shape.inputCount], reason: reason)
        let b = try compiler.floats(b, at: slot, shape: [shape.outputCount, rank], reason: reason)
        let e = try compiler.floats(e, at: slot, shape: [rank, 1], reason: reason)
        guard rank > 0 else { return }
        for index in a.indices { a[index] *= e[index / shape.inputCount] }
        let alpha = settings.alpha > 0 ? settings.alpha : Double(rank)
        compiler.append(
            compiler.lowRank(
                a: a, b: b, rank: rank, shape,
                scaling: Float(alpha / (Double(settings.initialRank) + 1e-5))), at: linear)
    }
}
