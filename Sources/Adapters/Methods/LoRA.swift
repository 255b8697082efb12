internal import Kernels
internal import Transformer

/// LoRA as PEFT saves it: low-rank factors, trained biases and whole modules saved along.
///
///     base_model.model.<module>.lora_A.weight      [rank, inputs]
///     base_model.model.<module>.lora_B.weight      [outputs, rank]
///     base_model.model.<module>.lora_B.bias        [outputs]             lora_bias
///     base_model.model.<module>.lora_embedding_A   [rank, vocabulary]
///     base_model.model.<module>.lora_embedding_B   [hidden, rank]
///     base_model.model.<module>.weight, .bias      as in the base        modules_to_save, bias
///
/// **Source**: LoRA, arXiv 2106.09685; PEFT 0.21.
enum LoRA {
    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let settings = try LoRASettings(&configuration)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: LoRASettings.trainingOnly, strict: context.options.strict)
        var compiler = LoRACompiler(
            settings: settings, tensors: try LoRATensors(file, slots: context.base.slots),
            base: context.base, pool: context.pool, configurationFile: configuration.file,
            readsValues: context.readsValues)
        try compiler.compile()
        return CompiledAdapter(
            operators: compiler.operators, parameterCount: compiler.parameterCount,
            warnings: warnings + compiler.warnings,
            targets: TargetSummary.text(compiler.operators, slots: context.base.slots),
            checkedRank: compiler.checkedRank)
    }

    /// True when no tensor but the factors of linear layers is there: all that is to be said about
    /// those, but for their values being finite, their header says.
    static func holdsFactorsOnly(_ file: AdapterFile) -> Bool {
        file.tensors.allSatisfy {
            $0.name.hasSuffix(LoRATensors.Part.factorA.rawValue)
                || $0.name.hasSuffix(LoRATensors.Part.factorB.rawValue)
        }
    }
}

/// Walks the slots of the base and turns the tensors for each into operators.
struct LoRACompiler {
    let settings: LoRASettings
    var tensors: LoRATensors
    let base: BaseModel
    let pool: WorkerPool
    let configurationFile: String
    /// False: only names, types and shapes are checked, and `operators` are no more than which slots
    /// are changed.
    let readsValues: Bool
    /// The largest rank that was checked without reading values.
    var checkedRank: Int?
    var operators = AdapterOperators()
    var parameterCount = 0
    var warnings: [String] = []

    init(
        settings: LoRASettings, tensors: LoRATensors, base: BaseModel, pool: WorkerPool,
        configurationFile: String, readsValues: Bool
    ) {
        self.settings = settings
        self.tensors = tensors
        self.base = base
        self.pool = pool
        self.configurationFile = configurationFile
        self.readsValues = readsValues
    }

    var slots: SlotTable { base.slots }
    var file: String { tensors.file }

    mutating func compile() throws(AdapterError) {
        let targeted = try targetedSlots()
        let saved = savedSlots()
        try checkNames(targeted: targeted, saved: saved)
        for slot in slots.all {
            if saved.contains(slot) {
                try addSaved(slot)
            } else if targeted.contains(slot) {
                try addLowRank(slot)
            }
            try addBaseBias(slot, isTargeted: targeted.contains(slot))
            try checkBaseTable(slot)
        }
        try tensors.checkNothingIsLeft()
    }

    /// The slots that the configuration targets; on a tied base, embedding and head together where
    /// it says so.
    private func targetedSlots() throws(AdapterError) -> Set<Slot> {
        var targeted: Set<Slot> = []
        for slot in slots.all {
            let isLinearBelowHead =
                if case .linear(.layer) = slot { true } else { false }
            let module = slots.name(of: slot)
            if try settings.targets.contains(module, isLinearBelowHead: isLinearBelowHead) {
                targeted.insert(slot)
            }
        }
        return tied(targeted)
    }

    private func savedSlots() -> Set<Slot> {
        tied(Set(slots.all.filter { settings.saved.contains(slots.name(of: $0)) }))
    }

    private func tied(_ chosen: Set<Slot>) -> Set<Slot> {
        let pair: Set<Slot> = [.embedding, .linear(.head)]
        guard settings.tiesEmbeddings, base.configuration.tiesHeadToEmbedding,
            !chosen.isDisjoint(with: pair)
        else { return chosen }
        return chosen.union(pair)
    }

    /// Every name of the configuration should mean some module.
    private mutating func checkNames(
        targeted: Set<Slot>, saved: Set<Slot>
    ) throws(AdapterError) {
        let setting = "target_modules"
        for slot in slots.all where targeted.contains(slot) && !saved.contains(slot) {
            guard case .norm = slot else { continue }
            throw .unsupportedTarget(
                module: slots.name(of: slot), setting: setting,
                reason: "LoRA works on linear layers and embeddings, this is a norm",
                file: configurationFile)
        }
        guard !targeted.isEmpty else {
            throw .noTargetMatched(
                setting: setting, value: settings.targets.value.text,
                modules: TargetSummary.moduleNames(slots), file: configurationFile)
        }
        if case .list(let names) = settings.targets.value {
            let modules = slots.all.map { slots.name(of: $0) }
            for name in names where !modules.contains(where: { ModuleMatcher.names(name, $0) }) {
                warnings.append(
                    "\(configurationFile): '\(setting)' names '\(name)', which the base doesn't have"
                )
            }
        }
        for name in settings.saved.names
        where !slots.all.contains(where: { SavedModules.name(name, covers: slots.name(of: $0)) }) {
            throw .noTargetMatched(
                setting: "modules_to_save", value: "\"\(name)\"",
                modules: TargetSummary.moduleNames(slots), file: configurationFile)
        }
    }

    /// Counts a tensor and widens it.
    mutating func floats(_ tensor: AdapterTensor) throws(AdapterError) -> [Float] {
        let values = try tensor.floats(file: file)
        parameterCount += values.count
        return values
    }

    /// - Parameter reason: what the expected shape follows from.
    func check(
        _ tensor: AdapterTensor, shape: [Int], reason: String
    ) throws(AdapterError) {
        guard tensor.shape == shape else {
            throw .wrongShape(
                tensor: tensor.name, expected: shape, found: tensor.shape,
                reason: tensor.shape == shape.reversed() ? "it is transposed" : reason, file: file)
        }
    }
}
