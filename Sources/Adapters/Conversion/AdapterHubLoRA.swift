internal import StrictJSON

/// A LoRA of the AdapterHub library, said in PEFT's terms.
///
///     <module>.loras.<name>.lora_A   [rank, inputs]
///     <module>.loras.<name>.lora_B   [outputs, rank]
///
/// Scaling is `alpha` / `r`. The library's other methods have no counterpart in PEFT, or files of
/// their own there.
///
/// **Source**: adapters 1.3.0, `methods/lora.py`.
enum AdapterHubLoRA {
    /// What a directory's weights are called.
    static let tensorNames = ["adapter.safetensors", "pytorch_adapter.bin"]

    /// True for the library's configuration, which keeps the method's settings in `config`.
    static func describes(_ configuration: AdapterConfiguration) -> Bool {
        configuration.object["peft_type"] == nil
            && configuration.object["config"]?.objectValue != nil
    }

    /// - Throws: `AdapterError` for other methods and for settings that PEFT's LoRA doesn't have.
    static func adapter(
        _ file: ForeignTensors, _ whole: AdapterConfiguration
    ) throws(AdapterError) -> PEFTAdapter {
        var configuration = AdapterConfiguration(
            whole.object["config"]?.objectValue ?? [:], file: whole.file)
        try check(&configuration, path: file.path)
        let rank = try configuration.count("r", limit: PlainLoRA.Settings.rankLimit)
        guard let value = configuration.value("alpha") else {
            throw .missingSetting("alpha", file: whole.file)
        }
        let alpha = try configuration.number(value, name: "alpha")
        let marker = ".loras.\(whole.object["name"]?.stringValue ?? "")."
        var factors: [String: [String: AdapterTensor]] = [:]
        for tensor in file.tensors {
            let parts = tensor.name.split(
                separator: marker, maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, ["lora_A", "lora_B"].contains(parts[1]) else {
                throw .unknownTensor(
                    tensor.name,
                    reason: "a LoRA of AdapterHub has tensors named '…\(marker)lora_A' and "
                        + "lora_B", file: file.path)
            }
            factors[String(parts[0]), default: [:]][String(parts[1])] = tensor
        }
        var builder = LoRABuilder()
        for (module, pair) in factors.sorted(by: { $0.key < $1.key }) {
            guard let a = pair["lora_A"], let b = pair["lora_B"] else {
                throw .missingTensor(
                    module + marker + (pair["lora_A"] == nil ? "lora_A" : "lora_B"),
                    reason: "its partner is there", file: file.path)
            }
            guard a.shape.count == 2, a.shape[0] == rank, b.shape.count == 2, b.shape[1] == rank
            else {
                throw .wrongShape(
                    tensor: a.name, expected: [rank, a.shape.last ?? 0], found: a.shape,
                    reason: "'r' is \(rank)", file: file.path)
            }
            builder.add(module, a: a, b: b, alpha: alpha)
        }
        return builder.adapter()
    }

    private static func check(
        _ configuration: inout AdapterConfiguration, path: String
    ) throws(AdapterError) {
        let architecture = try configuration.text("architecture")
        guard architecture == "lora" else {
            throw .unconvertible(
                path: path,
                reason:
                    "its architecture is \(architecture.map { "'\($0)'" } ?? "a bottleneck"), and of "
                    + "AdapterHub's methods only LoRA is LoRA in PEFT")
        }
        if let mode = try configuration.text("composition_mode"), mode != "add" {
            throw .unconvertible(
                path: path,
                reason: "'composition_mode' is \"\(mode)\": it multiplies, and LoRA adds")
        }
        for name in ["use_gating", "use_dora", "vera_d", "vera_b"] {
            guard let value = configuration.value(name), !value.isUnset else { continue }
            throw .unconvertible(
                path: path, reason: "'\(name)' is \(value.excerpt), which is more than a LoRA")
        }
    }
}
