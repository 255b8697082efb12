internal import StrictJSON

/// What a LoRA configuration says, checked.
struct LoRASettings {
    /// A rank above this is a mistake, not a low rank.
    static let rankLimit = 1 << 15
    /// Where a configuration doesn't say them. **Source**: PEFT 0.21, `LoraConfig`.
    static let standardRank = 8
    static let standardAlpha = 8.0

    let tuner: TunerSettings
    /// True: scaling is alpha / sqrt(rank), not alpha / rank. **Source**: arXiv 2312.03732.
    let stabilizesRank: Bool
    /// True: DoRA, with a magnitude for every output.
    let normalizesWeights: Bool
    /// What the base loses before the factors are added; nil: nothing.
    let residualBase: ResidualBase?
    /// Which factors are block-diagonal; nil: none.
    let blocks: BlockDiagonalLoRA?
    /// True for a product of low rank and nothing else.
    var isPlain: Bool {
        !normalizesWeights && residualBase == nil && blocks == nil && !hasBiasOfB
    }
    /// True for what is added to the base's output, whatever the base's weights are.
    var isBesideBase: Bool { !normalizesWeights && residualBase == nil }
    /// True: B has a bias of its own.
    let hasBiasOfB: Bool
    /// Token ids from whose last occurrence on the adapter acts; nil: on every token.
    let invocation: [Int]?
    /// The largest rank that the configuration names.
    let largestRank: Int
    private let ranks: ModuleValues<Int>
    private let alphas: ModuleValues<Double>

    /// - Parameter standardTargets: modules that are meant where the configuration names none;
    ///   where the base isn't known, those that are the same for all.
    init(
        _ configuration: inout AdapterConfiguration,
        standardTargets: [String]? = StandardTargets.ofProducts
    ) throws(AdapterError) {
        try UnknownSettings.refuse(Self.unsupported, in: &configuration)
        let rank = try configuration.count("r", limit: Self.rankLimit, absent: Self.standardRank)
        let alpha = try configuration.number("lora_alpha", absent: Self.standardAlpha)
        stabilizesRank = try configuration.flag("use_rslora")
        normalizesWeights = try configuration.flag("use_dora")
        hasBiasOfB = try configuration.flag("lora_bias")
        residualBase = try Self.residualBase(&configuration)
        blocks = try BlockDiagonalLoRA(&configuration)
        tuner = try TunerSettings(&configuration, standardTargets: standardTargets)
        invocation = try Self.invocation(&configuration)
        var largestRank = rank
        ranks = try configuration.moduleValues("rank_pattern", standard: rank) {
            (value, configuration) throws(AdapterError) in
            let rank = try configuration.count(value, name: "rank_pattern", limit: Self.rankLimit)
            largestRank = max(largestRank, rank)
            return rank
        }
        self.largestRank = largestRank
        alphas = try configuration.moduleValues("alpha_pattern", standard: alpha) {
            (value, configuration) throws(AdapterError) in
            try configuration.number(value, name: "alpha_pattern")
        }
    }

    func rank(of module: String) throws(AdapterError) -> Int {
        try ranks.value(for: key(of: module))
    }

    /// What B A x is multiplied with.
    func scaling(of module: String) throws(AdapterError) -> Float {
        Float(try exactScaling(of: module))
    }

    /// The same before it is rounded, for what is computed further.
    func exactScaling(of module: String) throws(AdapterError) -> Double {
        let rank = Double(try rank(of: module))
        let alpha = try alphas.value(for: key(of: module))
        return stabilizesRank ? alpha / rank.squareRoot() : alpha / rank
    }

    /// What patterns are compared with: the name of the weight, where `target_parameters` says it.
    private func key(of module: String) -> String {
        changesWeight(of: module) ? module + ".weight" : module
    }

    /// True where `target_parameters` names the module's weight.
    func changesWeight(of module: String) -> Bool {
        tuner.targets.namesWeight(of: module)
    }
}

extension LoRASettings {
    /// Settings without a meaning in inference, or whose effect is in the tensors.
    static let trainingOnly: Set<String> = [
        "corda_config", "eva_config", "lora_dropout", "lora_ga_config", "loftq_config",
        "megatron_core", "monteclora_config", "qalora_group_size", "velora_config",
        // PEFT itself sets it to what the layer is, Linear or Conv1D.
        "fan_in_fan_out",
    ]

    static let unsupported: [(name: String, reason: String)] = [
        ("use_qalora", "QALoRA pools inputs by group, which can't be served yet"),
        (
            "arrow_config",
            "the router has no weights of its own; serve a directory with arrow_config.json, which "
                + "names its experts"
        ),
        ("megatron_config", "Megatron's parallel layers have no counterpart in the base"),
    ]

    /// How training began is of no consequence, unless it took its part out of the base first.
    private static func residualBase(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> ResidualBase? {
        let residual = try initialization(&configuration)
        let kasa = configuration.value("kasa_config").map { !$0.isUnset } ?? false
        guard residual != nil || kasa else { return nil }
        guard residual == nil || !kasa else {
            throw .unsupportedSetting(
                "kasa_config", value: "set",
                reason: "'init_lora_weights' takes another part out of the base",
                file: configuration.file)
        }
        // DoRA brings what is left of the base to its lengths; PEFT combines it with no other.
        for name in residual == nil ? ["use_dora", "use_bdlora"] : ["use_bdlora"] {
            guard let value = configuration.value(name), !value.isUnset else { continue }
            throw .unsupportedSetting(
                name, value: value.excerpt,
                reason: "together with a start that takes its part out of the base, it can't be "
                    + "served", file: configuration.file)
        }
        return residual ?? .kasa
    }

    private static func initialization(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> ResidualBase? {
        let name = "init_lora_weights"
        guard let value = configuration.value(name), value.boolValue == nil else { return nil }
        guard let method = value.stringValue?.lowercased() else {
            throw configuration.invalid(
                name, value, expected: "true, false or the name of an initialization")
        }
        switch method {
        case "gaussian", "eva", "orthogonal", "mica": return nil
        case "pissa": return .pissa
        case "olora": return .olora
        case _ where method.hasPrefix("pissa_niter_"), "lora_ga", "corda":
            throw .unsupportedSetting(
                name, value: value.excerpt,
                reason:
                    "its training began by taking a part out of the base that the file doesn't "
                    + "determine; convert it to plain LoRA with PEFT's "
                    + "save_pretrained(path_initial_model_for_weight_conversion=…)",
                file: configuration.file)
        case "milora":
            throw .unsupportedSetting(
                name, value: value.excerpt,
                reason:
                    "its training began by taking the smallest singular components out of the base, "
                    + "for which PEFT has no form; save the base that was trained on, and set "
                    + "init_lora_weights to true to serve the adapter on that base",
                file: configuration.file)
        case "loftq":
            throw .unsupportedSetting(
                name, value: value.excerpt,
                reason: "its training began by quantising the base's weights; save the quantised "
                    + "base, and set init_lora_weights to true to serve the adapter on that base",
                file: configuration.file)
        default:
            throw configuration.invalid(
                name, value,
                expected: "true, false, gaussian, eva, orthogonal, mica, pissa or olora")
        }
    }
}
