internal import Transformer

/// Tuning of norms: their gains, trained, in place of the base's.
///
///     base_model.model.<norm>.ln_tuning_layers.weight    [hidden]
///
/// **Source**: arXiv 2312.11420; PEFT 0.21.
enum LNTuning {
    private static let gain = TensorPart(".ln_tuning_layers.weight")
    /// Of norms with a bias, and of modules that aren't norms, which are refused by their names.
    private static let bias = TensorPart(".ln_tuning_layers.bias")

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        try TunerMethod(
            name: "LN tuning", parts: [gain, bias],
            standardTargets: ["input_layernorm", "post_attention_layernorm", "norm"],
            refusal: { slot in
                guard case .norm = slot else { return "LN tuning works on norms" }
                return nil
            },
            settings: { (_) throws(AdapterError) in },
            add: { (slot, _, compiler) throws(AdapterError) in
                guard case .norm(let norm) = slot else { return }
                let width = compiler.slots.width(of: norm)
                let reason = "the base's norm has \(width) values"
                compiler.operators.norms[norm] = .gain(
                    try compiler.floats(gain, at: slot, shape: [width], reason: reason))
                guard compiler.slots.hasBias(norm) else { return }
                compiler.operators.normBiases[norm] = try compiler.floats(
                    bias, at: slot, shape: [width], reason: reason)
            }
        ).read(file, in: context)
    }
}
