internal import StrictJSON

/// A LoRA of the AdapterHub library, said in PEFT's terms.
///
///     <module>.loras.<name>.lora_A   [rank, inputs]
///     <module>.loras.<name>.lora_B   [outputs, rank]
///
/// Scaling is `alpha` / `r`; releases before 1.1.0 trained with a scaling of 1, whatever these say.
/// Which modules have factors, the tensors say; settings that say otherwise are refused.
///
/// **Source**: adapters 1.3.0, `methods/lora.py`, `loading.py`.
enum AdapterHubLoRA {
    static let extras = ["use_gating", "use_dora", "vera_d", "vera_b"]
    static let extrasReason = "of AdapterHub's LoRA only the plain form is served"

    /// - Throws: `AdapterError` for settings that PEFT's LoRA doesn't have.
    static func adapter(
        _ file: ForeignTensors, _ settings: AdapterHubSettings
    ) throws(AdapterError) -> PEFTAdapter {
        var configuration = settings.configuration
        let setting = "composition_mode"
        if let mode = try configuration.text(setting), mode != "add" {
            throw configuration.invalid(
                setting, .string(mode), expected: "\"add\" or \"scale\"")
        }
        try refuseExtras(&configuration)
        let places = try AdapterHubPlaces(&configuration)
        let rank = try configuration.count("r", limit: LoRASettings.rankLimit)
        let alpha = try alpha(&configuration, settings, rank: rank)
        var builder = LoRABuilder()
        for (module, pair) in try factors(file, settings).sorted(by: { $0.key < $1.key }) {
            guard let a = pair["lora_A"], let b = pair["lora_B"] else {
                throw .missingTensor(
                    module + ".loras.\(settings.name)."
                        + (pair["lora_A"] == nil ? "lora_A" : "lora_B"),
                    reason: "its partner is there", file: file.path)
            }
            guard a.shape.count == 2, a.shape[0] == rank, b.shape.count == 2, b.shape[1] == rank
            else {
                throw .wrongShape(
                    tensor: a.name, expected: [rank, a.shape.last ?? 0], found: a.shape,
                    reason: "'r' is \(rank)", file: file.path)
            }
            try places.check(module, tensor: a.name, file: file.path)
            builder.add(module, a: a, b: b, alpha: alpha)
        }
        var adapter = builder.adapter()
        adapter.origin = settings.origin(of: AdapterHub.loraTable)
        return adapter
    }

    /// - Throws: `AdapterError.unsupportedSetting` for what is more than a LoRA, or than (IA)³.
    static func refuseExtras(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
        try UnknownSettings.refuse(
            extras.map { ($0, extrasReason) },
            in: &configuration)
    }

    /// `alpha`, as the library itself corrects it.
    static func alpha(
        _ configuration: inout AdapterConfiguration, _ settings: AdapterHubSettings, rank: Int
    ) throws(AdapterError) -> Double {
        guard let value = configuration.value("alpha") else {
            throw .missingSetting("alpha", file: configuration.file)
        }
        let alpha = try configuration.number(value, name: "alpha")
        return try settings.hasFaultyAlpha() ? Double(rank) : alpha
    }

    private static func factors(
        _ file: ForeignTensors, _ settings: AdapterHubSettings
    ) throws(AdapterError) -> [String: [String: AdapterTensor]] {
        var factors: [String: [String: AdapterTensor]] = [:]
        for tensor in file.tensors {
            guard let (module, part) = settings.split(tensor, "loras"),
                ["lora_A", "lora_B"].contains(part)
            else {
                throw .unknownTensor(
                    tensor.name,
                    reason: "a LoRA of AdapterHub has tensors named "
                        + "'….loras.\(settings.name).lora_A' and lora_B", file: file.path)
            }
            guard factors[module, default: [:]].updateValue(tensor, forKey: part) == nil else {
                throw AdapterHub.repeated(tensor, file: file.path)
            }
        }
        return factors
    }
}
