internal import Transformer

/// A method that changes chosen modules, each by tensors of its own: what its reader has to say;
/// all else such methods have in common.
struct TunerMethod<Settings> {
    /// As people write it, for messages.
    let name: String
    /// What its tensors of modules are called.
    let parts: [TensorPart]
    /// Whole names of tensors that belong to no module.
    var shared: Set<String> = []
    /// Settings without a meaning in inference, or whose effect is in the tensors.
    var trainingOnly: Set<String> = []
    /// Settings that can't be served where they are set, with the reason.
    var unsupported: [(name: String, reason: String)] = []
    /// What is targeted where the configuration doesn't say.
    var standardTargets: [String]? = nil
    /// Why the method can't work on a kind of slot; nil where it can.
    var refusal: (Slot) -> String? = TunerMethods.linearOnly
    /// Reads the settings that are the method's own.
    let settings: (inout AdapterConfiguration) throws(AdapterError) -> Settings
    /// Takes what belongs to no module, before the first slot; most methods have nothing there.
    var prepare: (inout Settings, inout TunerCompiler) throws(AdapterError) -> Void = {
        (_, _) throws(AdapterError) in
    }
    /// Adds what the method does to a targeted slot.
    let add: (Slot, Settings, inout TunerCompiler) throws(AdapterError) -> Void

    func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        try UnknownSettings.refuse(unsupported, in: &configuration)
        let standard = StandardTargets.modules(
            of: file.peftType, modelType: context.base.configuration.modelType)
        let tuner = try TunerSettings(
            &configuration, standardTargets: standard ?? standardTargets)
        var own = try settings(&configuration)
        let warnings = try UnknownSettings.check(
            configuration, trainingOnly: trainingOnly.union(TunerMethods.trainingOnly),
            strict: context.options.strict)
        var compiler = TunerCompiler(
            settings: tuner,
            tensors: try TunerTensors(
                file, slots: context.base.slots, method: name, parts: parts, shared: shared),
            context: context,
            vocabularyCount: try ResizedTables.tokenCount(in: file, slots: context.base.slots),
            configurationFile: configuration.file)
        try prepare(&own, &compiler)
        let settings = own
        try compiler.compile(supports: refusal) { (compiler, slot) throws(AdapterError) in
            try add(slot, settings, &compiler)
        }
        return compiler.result(warnings: warnings)
    }
}

/// What several methods share.
enum TunerMethods {
    /// Of PEFT's methods: where weights began doesn't matter once they are trained, and linear
    /// layers' weights are always [outputs, inputs] there.
    static let trainingOnly: Set<String> = ["fan_in_fan_out", "init_weights"]

    static func linearOnly(_ slot: Slot) -> String? {
        switch slot {
        case .linear: nil
        case .norm: "this method works on linear layers, this is a norm"
        case .embedding: "this method works on linear layers, this is an embedding"
        }
    }
}
