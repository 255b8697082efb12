/// Finds tensors whose names tell what a checkpoint is instead of a plain base.
struct TensorNameCheck {
    let names: [String]
    let file: String

    /// - Throws: `TransformerError.foreignTensor` for the first of them.
    func check() throws(TransformerError) {
        for name in names {
            for (part, reason) in Self.wrappers where Self.has(name, part) {
                throw .foreignTensor(name, part: part, reason: reason, file: file)
            }
            for part in Self.scales where name.hasSuffix(part) {
                throw .foreignTensor(
                    name, part: part,
                    reason: "it belongs to quantised weights, which aren't read: take the "
                        + "unquantised checkpoint, or a GGUF file", file: file)
            }
        }
    }

    /// At the name's beginning or behind a point.
    private static func has(_ name: String, _ part: String) -> Bool {
        name.hasPrefix(part) || name.contains("." + part)
    }

    private static let severalParts =
        "the language model of a model of several parts; save that by itself"
    private static let sharded = "parallel training left it: save the model itself, unwrapped"

    private static let wrappers: [(part: String, reason: String)] = [
        ("_orig_mod.", "torch.compile left it: save the model that was compiled"),
        ("_fsdp_wrapped_module.", sharded),
        ("_checkpoint_wrapped_module.", sharded),
        ("module.", sharded),
        ("language_model.", severalParts),
        ("text_model.", severalParts),
        ("vision_tower.", severalParts),
        ("base_model.model.", "PEFT left it: save what merge_and_unload returns"),
        ("base_layer.", "PEFT left it: save what merge_and_unload returns"),
        ("lora_A.", "an adapter's own: give it with --adapter"),
    ]

    /// Endings of what stands beside quantised weights.
    private static let scales = [
        ".weight_scale", ".weight_scale_inv", ".input_scale", ".weight_zero_point",
        ".weight_packed", ".scales", ".qweight", ".qzeros", ".g_idx", ".SCB", ".absmax",
        ".quant_map", ".nested_absmax", ".weight_format",
    ]
}
