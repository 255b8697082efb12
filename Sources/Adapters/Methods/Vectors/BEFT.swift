internal import Transformer

/// Bias-efficient fine-tuning: a trained bias beside the base's own.
///
///     base_model.model.<module>.beft_bias    [1, outputs]
///
/// **Source**: BitFit, arXiv 2106.10199; PEFT 0.21.
enum BEFT: LinearTuner {
    private static let bias = TensorPart(".beft_bias")

    static let name = "BEFT"
    static let parts = [bias]
    static let trainingOnly: Set<String> = ["init_beft_weights"]

    static func isBesideBase(_ settings: Void) -> Bool { true }

    static func settings(_ configuration: inout AdapterConfiguration) {}

    static func add(
        _ linear: LinearSlot, _ settings: Void, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let count = compiler.slots.shape(of: linear).outputCount
        let values = try compiler.floats(
            bias, at: slot, shape: [1, count],
            reason: "'\(compiler.slots.name(of: slot))' has \(count) outputs")
        compiler.append(.bias(values), at: linear)
    }
}
