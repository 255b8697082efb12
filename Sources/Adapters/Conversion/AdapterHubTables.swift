internal import StrictJSON

// What becomes of each setting of AdapterHub's configurations. Of bottlenecks' the method's reader
// keeps the account, as of PEFT's.
//
// **Source**: adapters 1.3.0, `configuration/adapter_config.py`, `build_full_config`.
extension AdapterHub {
    static let wholeTable = SettingTable(
        title: "AdapterHub, every method",
        entries: [
            .init("config", .read), .init("name", .read), .init("version", .read),
            .init("hidden_size", .held), .init("model_type", .held),
            .init("model_name", .without("names of a base have no register")),
            .init("model_class", .without("heads are told by their tensors")),
            .init("config_id", .without("it is a hash of the settings")),
            .init("type", .without("it says what the adapter is for")),
        ])

    static let bottleneckTable = SettingTable(
        title: "AdapterHub's bottlenecks", entries: bottleneckRead + bottleneckRest)

    private static let bottleneckRead: [SettingTable.Entry] =
        [
            "mh_adapter", "output_adapter", "reduction_factor", "non_linearity",
            "original_ln_before", "original_ln_after", "ln_before", "ln_after", "is_parallel",
            "scaling", "residual_before_ln", "adapter_residual_before_ln", "leave_out",
            "phm_layer",
        ].map { .init($0, .read) }
        + BottleneckSettings.ofHypercomplexLayers.sorted().map { .init($0, .read) }

    private static let bottleneckRest: [SettingTable.Entry] =
        BottleneckSettings.unsupported.map { .init($0.name, .refused($0.reason)) }
        + BottleneckSettings.trainingOnly.subtracting(BottleneckSettings.ofHypercomplexLayers)
        .sorted().map { .init($0, .without("it has no meaning once trained")) }

    static let unionTable = SettingTable(
        title: "AdapterHub's unions",
        entries: [.init("architecture", .read), .init("configs", .read)])

    static let loraTable = SettingTable(
        title: "AdapterHub's LoRA and (IA)³",
        entries: [
            .init("architecture", .read), .init("composition_mode", .read), .init("r", .read),
            .init("alpha", .read), .init("selfattn_lora", .held),
            .init("intermediate_lora", .held), .init("output_lora", .held),
            .init("attn_matrices", .held), .init("leave_out", .held),
        ]
            + AdapterHubLoRA.extras.map { .init($0, .refused(AdapterHubLoRA.extrasReason)) }
            + [
                .init("dropout", .without("it acts in training")),
                .init("init_weights", .without("the trained values are there")),
                .init("init_weights_seed", .without("the trained values are there")),
                .init("dtype", .without("each tensor says its type")),
            ])

    static let prefixTable = SettingTable(
        title: "AdapterHub's prefix tuning",
        entries: [
            .init("architecture", .read), .init("prefix_length", .read), .init("flat", .read),
            .init("non_linearity", .read), .init("bottleneck_size", .held),
        ]
            + AdapterHubPrefix.unsupported.map { .init($0.name, .refused($0.reason)) }
            + ["encoder_prefix", "cross_prefix"].map {
                .init($0, .without("a decoder has no encoder and no cross-attention"))
            }
            + [
                .init("shared_gating", .without("it belongs to use_gating")),
                .init("dropout", .without("it acts in training")),
                .init("init_weights_seed", .without("the trained values are there")),
                .init("dtype", .without("each tensor says its type")),
            ])
}

extension AdapterHubSettings {
    /// What the file says of its base, with the method's settings that nobody knows.
    func origin(of table: SettingTable) -> ForeignOrigin {
        var origin = isWhole ? origin : ForeignOrigin(file: configuration.file)
        origin.addUnknown(in: configuration.object, of: table)
        return origin
    }

    /// That of a union: of the whole, and of its parts.
    func origin(joining parts: [ForeignOrigin]) -> ForeignOrigin {
        var origin = origin
        for part in parts {
            origin.unknown += part.unknown
            origin.warnings += part.warnings
        }
        origin.addUnknown(in: configuration.object, of: AdapterHub.unionTable)
        return origin
    }
}

/// Where AdapterHub's settings say that a LoRA, or (IA)³, has factors.
///
/// The library makes modules by these settings and passes over tensors of others.
///
/// **Source**: adapters 1.3.0, `models/llama/mixin_llama.py`, `methods/lora.py`.
struct AdapterHubPlaces {
    private let leftOut: Set<Int>
    /// The setting that excludes a kind of module, by the module's name in a layer.
    private var excluded: [String: String] = [:]
    private let file: String

    init(_ configuration: inout AdapterConfiguration) throws(AdapterError) {
        file = configuration.file
        leftOut = try configuration.indices("leave_out") ?? []
        let matrices = try configuration.texts("attn_matrices")
        for (module, place) in AdapterHubWriter.places {
            let isAttention = AdapterHubWriter.attention.contains(place)
            let setting = isAttention ? "selfattn_lora" : place
            if configuration.value(setting) != nil, try !configuration.flag(setting) {
                excluded[module] = "'\(setting)' is false"
            } else if isAttention, let matrices, !matrices.contains(place) {
                excluded[module] = "'attn_matrices' has no \"\(place)\""
            }
        }
    }

    /// - Throws: `AdapterError.unknownTensor` for a module that the settings leave out.
    func check(_ module: String, tensor: String, file: String) throws(AdapterError) {
        let parts = module.split(separator: ".", maxSplits: 3).map(String.init)
        guard parts.count == 4, parts[0] == "model", parts[1] == "layers" else { return }
        if let layer = Int(parts[2]), leftOut.contains(layer) {
            throw .unknownTensor(
                tensor, reason: "'leave_out' names layer \(layer) in \(self.file)", file: file)
        }
        guard let reason = excluded[parts[3]] else { return }
        throw .unknownTensor(tensor, reason: "\(reason) in \(self.file)", file: file)
    }
}
