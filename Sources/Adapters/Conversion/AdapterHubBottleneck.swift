internal import StrictJSON

/// A bottleneck of the AdapterHub library: its tensors without the adapter's name, its settings as
/// they are.
///
///     model.layers.<n>.attention_adapters.adapters.<name>.adapter_down.0.weight    and so on
///     model.shared_parameters.<name>.phm_rule                                      what Compacter's share
///
/// **Source**: adapters 1.3.0, `methods/bottleneck.py`.
enum AdapterHubBottleneck {
    static func adapter(
        _ file: ForeignTensors, _ settings: AdapterHubSettings
    ) throws(AdapterError) -> PEFTAdapter {
        var configuration = settings.configuration.object
        configuration["peft_type"] = .string(BottleneckAdapter.type)
        configuration["hidden_size"] = settings.hiddenSize
        // Releases that didn't say their version spelled these differently.
        if !settings.hasVersion {
            switch configuration["non_linearity"]?.stringValue {
            case "gelu": configuration["non_linearity"] = .string("gelu_new")
            case "gelu_orig": configuration["non_linearity"] = .string("gelu")
            default: break
            }
        }
        var tensors: [AdapterTensor] = []
        var names: Set<String> = []
        for tensor in file.tensors {
            guard
                let (module, part) = settings.split(tensor, "adapters")
                    ?? settings.splitShared(tensor)
            else {
                throw .unknownTensor(
                    tensor.name,
                    reason: "a bottleneck of AdapterHub has tensors named "
                        + "'….adapters.\(settings.name).…'", file: file.path)
            }
            let name = "\(module).\(part)"
            guard names.insert(name).inserted else {
                throw AdapterHub.repeated(tensor, file: file.path)
            }
            tensors.append(tensor.renamed(name))
        }
        var adapter = PEFTAdapter(configuration: configuration, tensors: tensors)
        // What its own settings are that nobody knows, the method's reader says.
        if settings.isWhole { adapter.origin = settings.origin }
        if configuration["scaling"]?.isNull ?? true {
            adapter.origin.warnings.append(
                "\(settings.configuration.file): 'scaling' is missing: it is 1, as the library takes it"
            )
        }
        return adapter
    }
}
