internal import Transformer

/// (IA)³: one factor for each input of feed-forward modules, for each output of others.
///
///     base_model.model.<module>.ia3_l    [1, inputs] or [outputs, 1]
///
/// y = W (l ⊙ x) + b, or l ⊙ (W x + b).
///
/// **Source**: arXiv 2205.05638; PEFT 0.21.
enum IA3: LinearTuner {
    static let peftType = "IA3"
    private static let factors = TensorPart(".ia3_l")

    static let name = "(IA)³"
    static let servesConv1D = true
    static let parts: [TensorPart] = [factors]
    static let trainingOnly: Set<String> = ["init_ia3_weights"]

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> FeedForward {
        try FeedForward(&configuration)
    }

    /// Which modules have factors of their inputs.
    struct FeedForward {
        private let matcher: ModuleMatcher?
        /// nil: as PEFT's table for the base says.
        private var endings: [String]?

        init(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
            let setting = "feedforward_modules"
            switch try configuration.names(setting) {
            case .expression(let text):
                matcher = try ModuleMatcher(
                    .expression(text), setting: setting, in: configuration)
                endings = []
            case .list(let names):
                matcher = nil
                endings = names
            case nil:
                matcher = nil
                endings = nil
            }
        }

        /// Where the configuration doesn't say, the base decides.
        mutating func complete(_ compiler: TunerCompiler) throws(AdapterError) {
            guard matcher == nil, endings == nil else { return }
            endings = StandardTargets.feedForwardModules(
                modelType: compiler.base.configuration.modelType)
            guard endings == nil else { return }
            throw .missingSetting("feedforward_modules", file: compiler.configurationFile)
        }

        func contains(_ module: String) throws(AdapterError) -> Bool {
            if let matcher { return try matcher.contains(module) }
            return endings?.contains(where: module.hasSuffix) ?? false
        }
    }

    static func prepare(
        _ feedForward: inout FeedForward, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        try feedForward.complete(compiler)
    }

    static func add(
        _ linear: LinearSlot, _ feedForward: FeedForward, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.slots.shape(of: linear)
        let isInput = try feedForward.contains(module)
        let factors = try compiler.floats(
            factors, at: slot, shape: isInput ? [1, shape.inputCount] : [shape.outputCount, 1],
            reason: isInput
                ? "'feedforward_modules' has '\(module)', of \(shape.inputCount) inputs"
                : "'\(module)' has \(shape.outputCount) outputs, and 'feedforward_modules' lacks it"
        )
        let change = DiagonalMap(factors.map { $0 - 1 })
        guard !isInput else { return compiler.append(.input(change), at: linear) }
        compiler.append(.output(change), at: linear)
        if let bias = compiler.base.bias(at: linear) {
            compiler.append(.bias(zip(bias, factors).map { $0 * ($1 - 1) }), at: linear)
        }
    }
}
