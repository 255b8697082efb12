internal import Transformer

/// Bias-efficient fine-tuning: a trained bias beside the base's own.
///
///     base_model.model.<module>.beft_bias    [1, outputs]
///
/// **Source**: BitFit, arXiv 2106.10199; PEFT 0.21.
enum BEFT {
    private static let bias = TensorPart(".beft_bias")

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        try TunerMethod(
            name: "BEFT", parts: [bias], trainingOnly: ["init_beft_weights"],
            settings: { (_) throws(AdapterError) in },
            add: { (slot, _, compiler) throws(AdapterError) in
                guard case .linear(let linear) = slot else { return }
                let count = compiler.slots.shape(of: linear).outputCount
                let values = try compiler.floats(
                    bias, at: slot, shape: [1, count],
                    reason: "'\(compiler.slots.name(of: slot))' has \(count) outputs")
                compiler.append(.bias(values), at: linear)
            }
        ).read(file, in: context)
    }
}
