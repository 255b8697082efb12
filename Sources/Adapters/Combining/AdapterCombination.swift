internal import Kernels
internal import StrictJSON

/// Writes one LoRA from several, as PEFT's `add_weighted_adapter` makes it.
///
/// Arithmetic is f32, and so are the written factors. Scaling of the result is 1.
///
/// **Source**: PEFT 0.21, `LoraModel.add_weighted_adapter`.
public struct AdapterCombination {
    /// What was written.
    public struct Report: Sendable, Equatable {
        /// The result's rank; modules with fewer dimensions are padded with zeros.
        public let rank: Int
        public let moduleCount: Int
        /// What the user should know; each is one sentence.
        public let notes: [String]
    }

    /// One of the adapters.
    struct Part {
        let name: String
        let weight: Double
        let lora: PlainLoRA
        /// What its file gives reason to say.
        let notes: [String]
    }

    private let adapters: [Part]
    private let options: CombinationOptions
    private let modules: [String]
    private let targets: CombinedTargets
    private let rank: Int

    /// Reads the adapters and checks that they can be combined.
    ///
    /// - Parameter adapters: names for messages, PEFT directories or `.lora` files, and weights.
    /// - Throws: `AdapterError`: what can't be read, is no plain LoRA, or doesn't fit the others.
    public init(
        _ adapters: [(name: String, path: String, weight: Double)], options: CombinationOptions,
        reading: AdapterOptions = AdapterOptions()
    ) throws(AdapterError) {
        var parts: [Part] = []
        for (name, path, weight) in adapters {
            try AdapterName.check(weight: Float(weight), of: name)
            let file = try AdapterFile.open(path, options: reading)
            if let tensor = file.tensors.first(where: {
                QueryKeyRows.concerns($0.name, file.layout)
            }) {
                throw .uncombinable(
                    adapter: name,
                    reason:
                        "the rows of '\(tensor.name)' are in llama.cpp's order, which the base's "
                        + "numbers of heads undo: convert it with graft convert --base first")
            }
            parts.append(
                Part(
                    name: name, weight: weight, lora: try PlainLoRA(file, for: .combining(name)),
                    notes: file.origin.warnings + file.origin.unknownWarnings))
        }
        var options = options
        // PEFT: one adapter can only be weighted.
        if parts.count == 1 { options.method = .linear }
        self.adapters = parts
        self.options = options
        modules = ModuleOrder.sorted(Set(parts.flatMap(\.lora.factors.keys)))
        targets = try CombinedTargets(parts, modules: modules)
        rank = try Self.rank(parts, options)
        try checkWidths()
    }

    /// Combines and writes.
    ///
    /// - Parameters:
    ///   - path: a new directory, or a file whose name ends in `.lora`.
    ///   - progress: called with the share done, 0…1.
    /// - Throws: `AdapterError.uncombinable` where a result isn't finite, `.outputExists`,
    ///   `.unwritable`.
    public func write(
        to path: String, progress: (Double) -> Void = { _ in }
    ) throws(AdapterError) -> Report {
        var tensors = try commonTables()
        var combiner = FactorCombiner(
            options: options, rank: rank, generator: try preparedGenerator())
        for (index, module) in modules.enumerated() {
            let parts: [FactorCombiner.Part] = adapters.compactMap { adapter in
                adapter.lora.factors[module].map {
                    FactorCombiner.Part(factors: $0, weight: adapter.weight)
                }
            }
            let result = try combiner.combine(parts, module: module)
            tensors += try named(result, module: module, isEmbedding: parts[0].factors.isEmbedding)
            progress(Double(index + 1) / Double(modules.count))
        }
        try PEFTAdapter(configuration: configuration, tensors: tensors).write(to: path)
        return Report(rank: rank, moduleCount: modules.count, notes: notes)
    }

    private var configuration: JSONObject {
        var result = adapters[0].lora.configuration
        for name in CombinedTargets.clearedSettings { result[name] = .null }
        result["target_modules"] = targets.value
        result["r"] = .integer(Int64(rank))
        result["lora_alpha"] = .integer(Int64(rank))
        result["rank_pattern"] = .object([:])
        result["alpha_pattern"] = .object([:])
        result["use_rslora"] = .bool(false)
        result["inference_mode"] = .bool(true)
        return result
    }

    private func named(
        _ result: FactorCombiner.Result, module: String, isEmbedding: Bool
    ) throws(AdapterError) -> [AdapterTensor] {
        let name = PEFTAdapter.prefix + module
        let parts: (a: TensorPart, b: TensorPart) =
            isEmbedding ? (.embeddingA, .embeddingB) : (.factorA, .factorB)
        return [
            try AdapterTensor(
                name: name + parts.a.suffix, shape: [rank, result.inputCount], values: result.a),
            try AdapterTensor(
                name: name + parts.b.suffix, shape: [result.outputCount, rank], values: result.b),
        ]
    }

    /// PEFT makes the new adapter's layers before it combines, and their initial values, which it
    /// then replaces, take draws from the same generator.
    private func preparedGenerator() throws(AdapterError) -> TorchGenerator {
        var generator = TorchGenerator(seed: options.seed)
        guard options.method.isRandom, options.density < 1 else { return generator }
        let initialization = try LayerInitialization(adapters[0])
        for module in modules {
            guard let factors = adapters.lazy.compactMap({ $0.lora.factors[module] }).first else {
                continue
            }
            generator.skip(initialization.drawCount(factors, rank: rank))
        }
        return generator
    }

    private var notes: [String] {
        var notes = adapters.flatMap { $0.notes + $0.lora.warnings }
        if options.method.isRandom, !ModuleOrder.isKnown(modules) {
            notes.append(
                "the order of these modules in their model is not known: the same seed gives this "
                    + "result again, but not PEFT's")
        }
        if adapters[0].lora.configuration["use_rslora"]?.boolValue == true {
            notes.append(
                "'use_rslora' is false in the result, whose scaling is 1; PEFT would leave it true and "
                    + "scale the sum by the root of the rank")
        }
        return notes
    }
}

// What must agree among the adapters.
extension AdapterCombination {
    private static func rank(
        _ adapters: [Part], _ options: CombinationOptions
    ) throws(AdapterError) -> Int {
        let ranks = adapters.map(\.lora.largestRank)
        let largest = ranks.max() ?? 1
        if options.method.combinesProducts { return options.rank ?? largest }
        guard options.method != .cat else {
            let sum = ranks.reduce(0, +)
            guard sum <= LoRASettings.rankLimit else {
                throw .uncombinable(
                    adapter: adapters[0].name,
                    reason:
                        "the ranks add up to \(sum), the limit is \(LoRASettings.rankLimit): use svd"
                )
            }
            return sum
        }
        if let index = ranks.firstIndex(where: { $0 != ranks[0] }) {
            throw .uncombinable(
                adapter: adapters[index].name,
                reason: "its rank is \(ranks[index]), that of '\(adapters[0].name)' \(ranks[0]): "
                    + "\(options.method.rawValue) needs equal ranks; use cat, svd or a method that "
                    + "ends in _svd")
        }
        return largest
    }

    private func checkWidths() throws(AdapterError) {
        for module in modules {
            var first: (name: String, factors: PlainLoRA.Factors)?
            for adapter in adapters {
                guard let factors = adapter.lora.factors[module] else { continue }
                let other = first ?? (adapter.name, factors)
                first = other
                try Self.check(
                    factors, like: other, module: module, adapter: adapter.name,
                    needsRank: !options.method.combinesProducts && options.method != .cat)
            }
        }
    }

    private static func check(
        _ factors: PlainLoRA.Factors,
        like other: (name: String, factors: PlainLoRA.Factors), module: String,
        adapter: String, needsRank: Bool
    ) throws(AdapterError) {
        guard factors.isEmbedding == other.factors.isEmbedding,
            factors.inputCount == other.factors.inputCount,
            factors.outputCount == other.factors.outputCount
        else {
            throw .uncombinable(
                adapter: adapter,
                reason: "its '\(module)' has \(factors.inputCount) inputs and "
                    + "\(factors.outputCount) outputs, that of '\(other.name)' "
                    + "\(other.factors.inputCount) and \(other.factors.outputCount): they were "
                    + "trained on different bases")
        }
        guard needsRank, factors.rank != other.factors.rank else { return }
        throw .uncombinable(
            adapter: adapter,
            reason: "its rank at '\(module)' is \(factors.rank), that of '\(other.name)' "
                + "\(other.factors.rank): use cat, svd or a method that ends in _svd")
    }

    /// The base's own tables, where PEFT saved them along; all adapters must have the same.
    private func commonTables() throws(AdapterError) -> [AdapterTensor] {
        var tables: [String: (adapter: String, tensor: AdapterTensor)] = [:]
        for adapter in adapters {
            for (name, tensor) in adapter.lora.tables {
                guard let other = tables[name] else {
                    tables[name] = (adapter.name, tensor)
                    continue
                }
                let same = other.tensor.withBytes { first in
                    tensor.withBytes { first.elementsEqual($0) }
                }
                guard same, other.tensor.shape == tensor.shape else {
                    throw .uncombinable(
                        adapter: adapter.name,
                        reason: "its copy of the base's '\(name)' differs from that in "
                            + "'\(other.adapter)': they were trained on different bases")
                }
            }
        }
        return tables.values.map(\.tensor)
    }
}
