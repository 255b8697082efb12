internal import StrictJSON

/// (IA)³ of the AdapterHub library, said as PEFT's: factors of outputs, in feed-forward layers as
/// well.
///
///     <module>.loras.<name>.lora_B   [outputs, 1]
///
/// The factors are `alpha` times these.
///
/// **Source**: arXiv 2205.05638; adapters 1.3.0, `methods/lora.py`.
enum AdapterHubFactors {
    /// - Throws: `AdapterError` for settings that PEFT's (IA)³ doesn't have.
    static func adapter(
        _ file: ForeignTensors, _ settings: AdapterHubSettings
    ) throws(AdapterError) -> PEFTAdapter {
        var configuration = settings.configuration
        try AdapterHubLoRA.refuseExtras(&configuration)
        let rank = try configuration.optionalCount("r", limit: 1 << 15) ?? 1
        guard rank == 1 else {
            throw .invalidSetting(
                "r", value: String(rank), expected: "1 beside \"composition_mode\": \"scale\"",
                file: configuration.file)
        }
        let places = try AdapterHubPlaces(&configuration)
        let alpha = try AdapterHubLoRA.alpha(&configuration, settings, rank: 1)
        var tensors: [AdapterTensor] = []
        var modules: [String] = []
        for tensor in file.tensors {
            guard let (module, part) = settings.split(tensor, "loras"), part == "lora_B" else {
                throw .unknownTensor(
                    tensor.name,
                    reason:
                        "(IA)³ of AdapterHub has tensors named '….loras.\(settings.name).lora_B'",
                    file: file.path)
            }
            try places.check(module, tensor: tensor.name, file: file.path)
            guard !modules.contains(module) else {
                throw AdapterHub.repeated(tensor, file: file.path)
            }
            modules.append(module)
            let name = PEFTAdapter.prefix + module + ".ia3_l"
            guard alpha != 1 else {
                tensors.append(tensor.renamed(name))
                continue
            }
            let values = try tensor.floats(file: file.path).map { $0 * Float(alpha) }
            tensors.append(try AdapterTensor(name: name, shape: tensor.shape, values: values))
        }
        var adapter = PEFTAdapter(
            configuration: [
                "base_model_name_or_path": .null, "feedforward_modules": .array([]),
                "inference_mode": .bool(true), "peft_type": .string(IA3.peftType),
                "target_modules": .array(modules.sorted().map(JSONValue.string)),
                "task_type": .string("CAUSAL_LM"),
            ], tensors: tensors)
        adapter.origin = settings.origin(of: AdapterHub.loraTable)
        return adapter
    }
}
