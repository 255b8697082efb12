internal import StrictJSON

/// Puts a PEFT LoRA together, module by module; the configuration follows from what was added.
struct LoRABuilder {
    private struct Module {
        let name: String
        let rank: Int
        /// scaling · rank.
        let alpha: Double
    }

    private var modules: [Module] = []
    private var tensors: [AdapterTensor] = []
    private var saved: Set<String> = []
    /// Every linear module of the base, where it is known: targets are then named by their last
    /// component where all modules of the name are targeted.
    var baseModules: [String]?
    /// The setting `bias`.
    var bias = "none"
    /// Settings beside those that follow from the tensors.
    var extra = JSONObject()

    init(baseModules: [String]? = nil) { self.baseModules = baseModules }

    /// - Parameters:
    ///   - a: **Shape** [rank, inputCount].
    ///   - b: **Shape** [outputCount, rank].
    mutating func add(
        _ module: String, a: AdapterTensor, b: AdapterTensor, alpha: Double,
        isEmbedding: Bool = false
    ) {
        let name = PEFTAdapter.prefix + module
        let parts: (a: TensorPart, b: TensorPart) =
            isEmbedding ? (.embeddingA, .embeddingB) : (.factorA, .factorB)
        modules.append(Module(name: module, rank: a.shape[0], alpha: alpha))
        tensors.append(a.renamed(name + parts.a.suffix))
        tensors.append(b.renamed(name + parts.b.suffix))
    }

    /// A tensor that stands in place of the base's, under the base's own name.
    mutating func save(_ tensor: AdapterTensor, module: String) {
        saved.insert(module)
        tensors.append(tensor.renamed(PEFTAdapter.prefix + tensor.name))
    }

    /// A tensor under its PEFT name.
    mutating func append(_ tensor: AdapterTensor) { tensors.append(tensor) }

    var isEmpty: Bool { modules.isEmpty }

    func adapter() -> PEFTAdapter {
        let rank = Self.commonest(modules.map(\.rank)) ?? 1
        let alpha = Self.commonest(modules.map(\.alpha)) ?? 1
        var configuration = PEFTAdapter.loraConfiguration(
            rank: rank, alpha: alpha, targets: targets)
        var ranks = JSONObject()
        var alphas = JSONObject()
        for module in modules {
            if module.rank != rank { ranks[module.name] = .integer(Int64(module.rank)) }
            if module.alpha != alpha { alphas[module.name] = module.alpha.asJSON }
        }
        configuration["rank_pattern"] = .object(ranks)
        configuration["alpha_pattern"] = .object(alphas)
        if modules.isEmpty { configuration["target_modules"] = .string(TargetModules.nothing) }
        configuration["bias"] = .string(bias)
        if !saved.isEmpty {
            configuration["modules_to_save"] = .array(saved.sorted().map(JSONValue.string))
        }
        for (key, value) in extra { configuration[key] = value }
        return PEFTAdapter(configuration: configuration, tensors: tensors)
    }

    private var targets: [String] {
        let names = modules.map(\.name)
        return baseModules.map { Self.compacted(names, baseModules: $0) } ?? names.sorted()
    }

    /// Names of modules in short: by their last component where the base has no other module that
    /// ends so.
    static func compacted(_ names: [String], baseModules: [String]) -> [String] {
        let all = Dictionary(grouping: baseModules, by: leaf)
        let added = Set(names)
        return Set(names.map(leaf)).sorted().flatMap { leaf in
            let isWhole = (all[leaf] ?? []).allSatisfy(added.contains)
            return isWhole ? [leaf] : names.filter { Self.leaf($0) == leaf }.sorted()
        }
    }

    private static func leaf(_ module: String) -> String {
        String(module.split(separator: ".").last ?? "")
    }

    /// The value that most have; of several the first.
    private static func commonest<Value: Hashable>(_ values: [Value]) -> Value? {
        var counts: [Value: Int] = [:]
        for value in values { counts[value, default: 0] += 1 }
        guard let most = counts.values.max() else { return nil }
        return values.first { counts[$0] == most }
    }
}
