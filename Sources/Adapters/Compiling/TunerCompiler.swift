internal import Kernels
internal import Transformer

/// Walks the slots of the base and turns the tensors for each into operators: what all methods that
/// change chosen modules have in common, with `modules_to_save` and trained biases.
struct TunerCompiler {
    let settings: TunerSettings
    var tensors: TunerTensors
    let base: BaseModel
    let pool: WorkerPool
    let configurationFile: String
    /// False: only names, types and shapes are checked, and `operators` are no more than which
    /// slots are changed.
    let readsValues: Bool
    /// The largest rank that was checked without reading values.
    var checkedRank: Int?
    /// Tokens of the vocabulary that the adapter was trained with.
    let vocabularyCount: Int
    /// True where the method can be served on tables of another size than the base's.
    var servesResizedTables = false
    /// What is known of those tables.
    var resized = ResizedTables()
    var operators = AdapterOperators()
    /// Which operators of a layer are the method's own; all others change what it works on.
    private var own: [LinearSlot: Range<Int>] = [:]
    private var ownEmbedding = 0..<0
    /// Those of the operators that are products of stored matrices.
    var products: [StoredProduct] = []
    var parameterCount = 0
    var warnings: [String] = []
    /// Tensors that stand in place of the base's and that no setting names.
    var strays = StrayTensors()
    /// True where nothing may be passed over with a warning.
    let isStrict: Bool

    init(
        settings: TunerSettings, tensors: TunerTensors, context: Methods.Context,
        vocabularyCount: Int?, configurationFile: String
    ) {
        self.vocabularyCount = vocabularyCount ?? context.base.slots.vocabularyCount
        self.settings = settings
        self.tensors = tensors
        base = context.base
        pool = context.pool
        self.configurationFile = configurationFile
        readsValues = context.readsValues
        isStrict = context.options.strict
    }

    var slots: SlotTable { base.slots }
    var file: String { tensors.file }

    /// - Parameters:
    ///   - supports: why the method can't work on a kind of slot; nil where it can.
    ///   - addTarget: adds what the method does to a targeted slot.
    mutating func compile(
        supports: (Slot) -> String?,
        _ addTarget: (inout TunerCompiler, Slot) throws(AdapterError) -> Void
    ) throws(AdapterError) {
        let targeted = try targetedSlots()
        let saved = savedSlots()
        try checkTargets(targeted: targeted, saved: saved, supports)
        try checkTables(targeted.subtracting(saved))
        try addModules(targeted: targeted, saved: saved, addTarget)
    }

    /// Of a method that targets no module: those that were saved whole, and resized tables.
    mutating func compileSaved() throws(AdapterError) {
        try addModules(targeted: [], saved: savedSlots()) { (_, _) throws(AdapterError) in }
    }

    private mutating func addModules(
        targeted: Set<Slot>, saved: Set<Slot>,
        _ addTarget: (inout TunerCompiler, Slot) throws(AdapterError) -> Void
    ) throws(AdapterError) {
        checkSaved()
        for slot in slots.all {
            if saved.contains(slot) {
                try addSaved(slot)
            } else if targeted.contains(slot) {
                try addOwn(slot, addTarget)
            }
            try addBaseBias(slot, isTargeted: targeted.contains(slot))
            let parts = strayParts(
                at: slot, isTargeted: targeted.contains(slot), isSaved: saved.contains(slot))
            try addStrays(parts, at: slot)
            try checkBaseTable(slot, strayPart: parts?.weight, isSaved: saved.contains(slot))
        }
        let replaced = try addStrayTables(saved: saved)
        try addVocabulary(saved: saved.union(replaced))
        try tensors.checkNothingIsLeft()
    }

    private mutating func addOwn(
        _ slot: Slot, _ addTarget: (inout TunerCompiler, Slot) throws(AdapterError) -> Void
    ) throws(AdapterError) {
        switch slot {
        case .linear(let linear):
            let start = operators.linear[linear]?.count ?? 0
            try addTarget(&self, slot)
            own[linear] = start..<(operators.linear[linear]?.count ?? 0)
        case .embedding:
            let start = operators.embedding.count
            try addTarget(&self, slot)
            ownEmbedding = start..<operators.embedding.count
        case .norm: try addTarget(&self, slot)
        }
    }

    /// All but the method's own operators, which may wait for an invocation: trained tokens, and
    /// modules, biases and tables in place of the base's.
    var besideOwn: EarlierOperators {
        var others = EarlierOperators()
        for (linear, list) in operators.linear {
            let rest = Self.without(own[linear] ?? 0..<0, list)
            if !rest.isEmpty { others.linear[linear] = rest }
        }
        others.norms = operators.norms
        others.normBiases = operators.normBiases
        others.embedding = Self.without(ownEmbedding, operators.embedding)
        return others
    }

    private static func without<Element>(_ own: Range<Int>, _ list: [Element]) -> [Element] {
        var rest = list
        rest.removeSubrange(own)
        return rest
    }

    /// The slots that the configuration targets; on a tied base, embedding and head together where
    /// it says so.
    func targetedSlots() throws(AdapterError) -> Set<Slot> {
        var targeted: Set<Slot> = []
        for slot in slots.all {
            for module in slots.names(of: slot)
            where try settings.targets.contains(module, isLinearBelowHead: slot.isLinearBelowHead) {
                targeted.insert(slot)
            }
        }
        return tied(targeted)
    }

    func savedSlots() -> Set<Slot> {
        tied(Set(slots.all.filter { settings.saved.contains(anyOf: slots.names(of: $0)) }))
    }

    private func tied(_ chosen: Set<Slot>) -> Set<Slot> {
        let pair: Set<Slot> = [.embedding, .linear(.head)]
        return isTied && !chosen.isDisjoint(with: pair) ? chosen.union(pair) : chosen
    }

    /// True where embedding and head are one matrix, and stay one.
    var isTied: Bool { settings.tiesEmbeddings && base.configuration.tiesHeadToEmbedding }

    /// Every target should be some module, of a kind that the method works on.
    private mutating func checkTargets(
        targeted: Set<Slot>, saved: Set<Slot>, _ supports: (Slot) -> String?
    ) throws(AdapterError) {
        let setting = "target_modules"
        for slot in slots.all where targeted.contains(slot) && !saved.contains(slot) {
            guard let reason = supports(slot) else { continue }
            throw .unsupportedTarget(
                module: slots.name(of: slot), setting: setting, reason: reason,
                file: configurationFile)
        }
        try checkParameters()
        guard !targeted.isEmpty || settings.targets.meanNothing else {
            throw .noTargetMatched(
                setting: setting, value: settings.targets.value.text,
                modules: TargetSummary.moduleNames(slots), file: configurationFile)
        }
        if case .list(let names) = settings.targets.value { warnOfUnknownTargets(names) }
    }

    /// Factors for the matrices of all experts in one tensor belong to none of them alone.
    private func checkParameters() throws(AdapterError) {
        guard slots.haveExperts else { return }
        let names = Set(slots.linearSlots.map { slots.name(of: .linear($0)) + ".weight" })
        for parameter in settings.targets.parameters.sorted()
        where !names.contains(where: { ModuleMatcher.names([parameter], $0) }) {
            throw .unsupportedTarget(
                module: parameter, setting: "target_parameters",
                reason:
                    "factors for all experts in one tensor aren't read: train with the experts' "
                    + "modules as 'target_modules', for which transformers 4 has them",
                file: configurationFile)
        }
    }

    private mutating func warnOfUnknownTargets(_ names: [String]) {
        let known = slots.moduleNameEndings
        let unknown = names.filter { !known.contains($0) }
        let named = unknown.prefix(AdapterLimits.namedUnknownTargetCount)
        for name in named {
            warnings.append(
                "\(configurationFile): 'target_modules' names '\(name)', which the base doesn't have"
            )
        }
        guard unknown.count > named.count else { return }
        warnings.append(
            "\(configurationFile): 'target_modules' names \(unknown.count - named.count) more that the "
                + "base doesn't have")
    }

    /// A module to save that isn't there has no meaning; tensors for it were refused before.
    private mutating func checkSaved() {
        for name in settings.saved.names
        where !slots.all.contains(where: {
            slots.names(of: $0).contains { SavedModules.name(name, covers: $0) }
        }) {
            warnings.append(
                "\(configurationFile): 'modules_to_save' names '\(name)', which neither the base nor "
                    + "the file has; base has: \(TargetSummary.moduleNames(slots))")
        }
    }

    mutating func append(_ op: LinearOperator, at linear: LinearSlot) {
        operators.linear[linear, default: []].append(op)
    }

    /// What was compiled.
    func result(warnings: [String]) -> CompiledAdapter {
        CompiledAdapter(
            operators: operators, parameterCount: parameterCount,
            warnings: warnings + self.warnings + tensors.warnings + strays.warnings(file: file),
            targets: TargetSummary.text(operators, slots: slots), checkedRank: checkedRank,
            products: products, warnsOfValues: strays.wereMet)
    }
}

extension SlotTable {
    /// The names of all modules, and what of them stands after each dot.
    fileprivate var moduleNameEndings: Set<String> {
        var endings: Set<String> = []
        for slot in all {
            for name in names(of: slot) {
                var ending = Substring(name)
                while true {
                    endings.insert(String(ending))
                    guard let dot = ending.firstIndex(of: ".") else { break }
                    ending = ending[ending.index(after: dot)...]
                }
            }
        }
        return endings
    }
}
