internal import StrictJSON

/// Adapters of the AdapterHub library, as `save_adapter` writes them: LoRA, (IA)³ and prefixes said
/// in PEFT's terms; bottlenecks and unions of several methods, which PEFT doesn't have, in terms of
/// their own.
///
/// **Source**: adapters 1.3.0, `loading.py`.
enum AdapterHub {
    /// What a directory's weights are called.
    static let tensorNames = [
        "adapter.safetensors", "pytorch_adapter.safetensors", "pytorch_adapter.bin",
    ]
    /// What the weights of a head are called that was saved along.
    static let headNames = [
        "model_head.safetensors", "pytorch_model_head.safetensors", "pytorch_model_head.bin",
    ]
    /// Configurations of several adapters together.
    static let compositions: [(name: String, found: String)] = [
        ("adapter_fusion_config.json", "a fusion of several adapters of AdapterHub"),
        ("adapter_setup.json", "a composition of several adapters of AdapterHub"),
    ]
    static let headWeight = "lm_head.weight"

    /// True for the library's configuration, which keeps the method's settings in `config`.
    static func describes(_ configuration: AdapterConfiguration) -> Bool {
        configuration.object["peft_type"] == nil
            && configuration.object["config"]?.objectValue != nil
    }

    /// - Parameters:
    ///   - whole: the library's configuration.
    ///   - head: the tensors of the head that was saved along.
    /// - Throws: `AdapterError` for methods that can't be served, and for tensors without a place.
    static func adapter(
        _ file: ForeignTensors, _ whole: AdapterConfiguration, head: ForeignTensors?
    ) throws(AdapterError) -> PEFTAdapter {
        let settings = try AdapterHubSettings(whole)
        try file.checkElements()
        try head?.checkElements()
        guard let parts = try settings.parts() else {
            return try adding(head, to: method(file, settings))
        }
        var adapters: [PEFTAdapter] = []
        for part in parts {
            let tensors = file.tensors.filter { settings.holds($0, part.kinds) }
            let own = ForeignTensors(path: file.path, tensors: tensors, metadata: file.metadata)
            adapters.append(try method(own, part.settings))
        }
        if let stray = file.tensors.first(where: { tensor in
            !parts.contains { settings.holds(tensor, $0.kinds) }
        }) {
            throw .unknownTensor(
                stray.name, reason: "it belongs to none of the \(parts.count) methods of the union",
                file: file.path)
        }
        adapters[0] = try adding(head, to: adapters[0])
        var union = AdapterUnion.joining(adapters)
        union.origin = settings.origin(joining: adapters.map(\.origin))
        return union
    }

    /// A tensor that the file has both with and without the first part of its name.
    static func repeated(_ tensor: AdapterTensor, file: String) -> AdapterError {
        .unknownTensor(
            tensor.name, reason: "the file has it twice, with and without 'model.' in front",
            file: file)
    }

    private static func adding(
        _ head: ForeignTensors?, to adapter: PEFTAdapter
    ) throws(AdapterError) -> PEFTAdapter {
        guard let head else { return adapter }
        var adapter = adapter
        for tensor in head.tensors {
            guard tensor.name == headWeight else {
                throw .unknownTensor(
                    tensor.name,
                    reason:
                        "of heads that AdapterHub saves along, only '\(headWeight)' has a place "
                        + "in the base: save the adapter with with_head=False", file: head.path)
            }
            adapter.configuration["modules_to_save"] = .array([.string("lm_head")])
            // The library loads it into the base's own head, and with it into a tied embedding.
            adapter.configuration[TunerSettings.tyingSetting] = .bool(true)
            adapter.tensors.append(tensor.renamed(adapter.modulePrefix + tensor.name))
        }
        return adapter
    }

    private static func method(
        _ file: ForeignTensors, _ settings: AdapterHubSettings
    ) throws(AdapterError) -> PEFTAdapter {
        var settings = settings
        let setting = "architecture"
        switch try settings.configuration.text(setting) {
        case nil: return try AdapterHubBottleneck.adapter(file, settings)
        case "prefix_tuning": return try AdapterHubPrefix.adapter(file, settings)
        case "lora":
            return try settings.configuration.text("composition_mode") == "scale"
                ? AdapterHubFactors.adapter(file, settings)
                : AdapterHubLoRA.adapter(file, settings)
        case .some(let method):
            throw .unsupportedSetting(
                setting, value: "\"\(method)\"",
                reason:
                    "of AdapterHub's methods, bottlenecks, LoRA, (IA)³, prefix tuning and unions of "
                    + "these are served",
                file: settings.configuration.file)
        }
    }
}

extension AdapterHubSettings {
    /// One method of a union, with what its tensors are called.
    struct Part {
        let settings: AdapterHubSettings
        let kinds: [String]
    }

    private static let kinds: [String: [String]] = [
        "": ["adapters", "shared_parameters"], "lora": ["loras"],
        "prefix_tuning": ["prefix_tunings"],
    ]

    /// The methods of a union; nil for a method alone.
    /// - Throws: `AdapterError` for one that isn't served, and for two of a kind.
    func parts() throws(AdapterError) -> [Part]? {
        guard configuration.object["architecture"] == .string("union") else { return nil }
        let setting = "configs"
        let listed = configuration.object[setting] ?? .null
        guard let objects = listed.arrayValue, !objects.isEmpty else {
            throw configuration.invalid(
                setting, listed, expected: "an array of the methods' configurations")
        }
        var parts: [Part] = []
        for value in objects {
            guard let object = value.objectValue else {
                throw configuration.invalid(setting, value, expected: "an array of objects")
            }
            var settings = self
            settings.configuration = AdapterConfiguration(object, file: configuration.file)
            settings.isWhole = false
            let name = object["architecture"]?.stringValue ?? ""
            let kinds = Self.kinds[name] ?? [name]
            guard !parts.contains(where: { $0.kinds == kinds }) else {
                throw .unsupportedSetting(
                    setting, value: "two of one kind",
                    reason: "which of them a tensor belongs to can't be told",
                    file: configuration.file)
            }
            parts.append(Part(settings: settings, kinds: kinds))
        }
        return parts
    }

    /// Whether a tensor's name tells that it is of one of these kinds.
    func holds(_ tensor: AdapterTensor, _ kinds: [String]) -> Bool {
        kinds.contains { kind in
            tensor.name.contains(".\(kind).\(name).") || tensor.name.hasPrefix("\(kind).\(name).")
        }
    }
}
