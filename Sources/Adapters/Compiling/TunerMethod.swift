internal import Transformer

/// A method that changes chosen modules, each by tensors of its own. It says what is its own;
/// reading is the same for all.
///
/// A method that works on linear layers alone is a `LinearTuner`.
protocol TunerMethod {
    /// What its configuration says, checked.
    associatedtype Settings

    /// As people write it, for messages.
    static var name: String { get }
    /// What its tensors of modules are called.
    static var parts: [TensorPart] { get }
    /// Further ones, where settings decide how many there are.
    static func parts(for settings: Settings) -> [TensorPart]
    /// Whole names of tensors that belong to no module.
    static func shared(_ slots: SlotTable) -> Set<String>
    /// False where PEFT doesn't read those names with an adapter's name, `default`, behind them.
    static var sharedTakeDefault: Bool { get }
    /// Settings without a meaning in inference, or whose effect is in the tensors.
    static var trainingOnly: Set<String> { get }
    /// Settings that can't be served where they are set, with the reason.
    static var unsupported: [(name: String, reason: String)] { get }
    /// What is targeted where neither the configuration nor PEFT's table for the model says.
    static func standardTargets(_ slots: SlotTable) -> [String]?
    /// True where PEFT has the method for `Conv1D` as well, whose matrices are stored [inputs,
    /// outputs].
    static var servesConv1D: Bool { get }

    /// True where what is added doesn't depend on the weights that it stands beside, so that those
    /// may be others than the base's.
    static func isBesideBase(_ settings: Settings) -> Bool

    /// Why the method can't work on a kind of slot; nil where it can.
    static func refusal(of slot: Slot) -> String?

    /// Reads the settings that are the method's own.
    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings

    /// Takes what belongs to no module, before the first slot; most methods have nothing there.
    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError)

    /// Adds what the method does to a targeted slot.
    static func add(
        _ slot: Slot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError)
}

/// A method that changes chosen linear layers, and no other modules.
protocol LinearTuner: TunerMethod {
    /// Adds what the method does to a targeted layer.
    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError)
}

extension LinearTuner {
    static func refusal(of slot: Slot) -> String? { slot.reasonAgainstLinearTuners }

    static func add(
        _ slot: Slot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        guard case .linear(let linear) = slot else { return }
        try add(linear, settings, &compiler)
    }
}

extension Slot {
    /// Why methods that change linear layers can't work on it; nil where they can.
    var reasonAgainstLinearTuners: String? {
        switch self {
        case .linear: nil
        case .norm: "this method works on linear layers, this is a norm"
        case .embedding: "this method works on linear layers, this is an embedding"
        }
    }
}

extension SlotTable {
    /// Why a method of PEFT that takes `Linear` alone can't work on a slot; nil where it is one.
    func reasonAgainstConv1D(_ slot: Slot, _ method: String) -> String? {
        guard case .linear(let linear) = slot, isTransposed(linear) else { return nil }
        return "PEFT has \(method) for Linear layers, and this is a Conv1D, whose matrix is stored "
            + "the other way round"
    }
}

extension TunerMethod {
    static var trainingOnly: Set<String> { [] }
    static var unsupported: [(name: String, reason: String)] { [] }
    static func standardTargets(_ slots: SlotTable) -> [String]? { nil }
    static var servesConv1D: Bool { false }

    static func parts(for settings: Settings) -> [TensorPart] { [] }

    static var sharedTakeDefault: Bool { true }

    static func shared(_ slots: SlotTable) -> Set<String> { [] }

    static func isBesideBase(_ settings: Settings) -> Bool { false }

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {}

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let slots = context.base.slots
        try UnknownSettings.refuse(unsupported, in: &configuration)
        let standard = StandardTargets.modules(
            of: file.peftType, modelType: context.base.configuration.modelType)
        let tuner = try TunerSettings(
            &configuration, standardTargets: standard ?? standardTargets(slots))
        var own = try settings(&configuration)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: trainingOnly.union(trainingOnlyOfAll),
            strict: context.options.strict)
        var compiler = TunerCompiler(
            settings: tuner,
            tensors: try TunerTensors(
                file, slots: slots, method: name, parts: parts + parts(for: own),
                shared: shared(slots), sharedTakeDefault: sharedTakeDefault),
            context: context,
            vocabularyCount: try ResizedTables.tokenCount(in: file, slots: slots),
            configurationFile: configuration.file)
        compiler.strays.targetsAreServed = isBesideBase(own)
        try prepare(&own, &compiler)
        let settings = own
        let supports: (Slot) -> String? = { slot in
            refusal(of: slot) ?? (servesConv1D ? nil : slots.reasonAgainstConv1D(slot, name))
        }
        try compiler.compile(supports: supports) { (compiler, slot) throws(AdapterError) in
            try add(slot, settings, &compiler)
        }
        return compiler.result(warnings: warnings)
    }

    /// Of PEFT's methods: where weights began doesn't matter once they are trained, and which way
    /// round a layer's weights lie PEFT asks the layer itself, whatever the setting says.
    private static var trainingOnlyOfAll: Set<String> { ["fan_in_fan_out", "init_weights"] }
}
