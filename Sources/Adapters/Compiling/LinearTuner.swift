internal import Transformer

/// A method that changes chosen linear layers, each by tensors of its own. It says what is its own;
/// reading is the same for all.
protocol LinearTuner {
    /// What its configuration says, checked.
    associatedtype Settings

    /// As people write it, for messages.
    static var name: String { get }
    /// What its tensors of modules are called.
    static var parts: [TensorPart] { get }
    /// Whole names of tensors that belong to no module.
    static var shared: Set<String> { get }
    /// Settings without a meaning in inference, or whose effect is in the tensors.
    static var trainingOnly: Set<String> { get }
    /// Settings that can't be served where they are set, with the reason.
    static var unsupported: [(name: String, reason: String)] { get }

    static func settings(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> Settings

    /// Takes what belongs to no module, before the first layer.
    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError)

    /// Adds what the method does to a targeted layer.
    static func add(
        _ linear: LinearSlot, _ settings: Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError)
}

extension LinearTuner {
    static var shared: Set<String> { [] }
    static var trainingOnly: Set<String> { [] }
    static var unsupported: [(name: String, reason: String)] { [] }

    static func prepare(
        _ settings: inout Settings, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {}

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        try TunerMethod(
            name: name, parts: parts, shared: shared, trainingOnly: trainingOnly,
            unsupported: unsupported,
            settings: { (configuration) throws(AdapterError) in try settings(&configuration) },
            prepare: { (settings, compiler) throws(AdapterError) in
                try prepare(&settings, &compiler)
            },
            add: { (slot, settings, compiler) throws(AdapterError) in
                guard case .linear(let linear) = slot else { return }
                try add(linear, settings, &compiler)
            }
        ).read(file, in: context)
    }
}
