internal import Transformer

/// Tuning of norms: their gains, trained, in place of the base's.
///
///     base_model.model.<norm>.ln_tuning_layers.weight    [hidden]
///
/// **Source**: arXiv 2312.11420; PEFT 0.21.
enum LNTuning: TunerMethod {
    private static let gain = TensorPart(".ln_tuning_layers.weight")
    /// Of norms with a bias, and of modules that aren't norms, which are refused by their names.
    private static let bias = TensorPart(".ln_tuning_layers.bias")

    static let name = "LN tuning"
    static let parts = [gain, bias]

    static func refusal(of slot: Slot) -> String? {
        guard case .norm = slot else { return "LN tuning works on norms" }
        return nil
    }

    static func settings(_ configuration: inout AdapterConfiguration) {}

    static func add(
        _ slot: Slot, _ settings: Void, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        guard case .norm(let norm) = slot else { return }
        let width = compiler.slots.width(of: norm)
        let reason = "the base's norm has \(width) values"
        compiler.operators.norms[norm] = .gain(
            try compiler.floats(gain, at: slot, shape: [width], reason: reason))
        guard compiler.slots.hasBias(norm) else { return }
        compiler.operators.normBiases[norm] = try compiler.floats(
            bias, at: slot, shape: [width], reason: reason)
    }
}
