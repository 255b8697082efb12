internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Qwen2's block with experts, beside an expert that all rows go through.
///
/// **Source**: arXiv 2407.10671; `Qwen2MoeConfig` of transformers 5.
enum Qwen2MoE: Architecture {
    static let modelTypes = ["qwen2_moe"]
    static let keys: [KnownKey] =
        layerKeys + [
            .read("shared_expert_intermediate_size", "width of the expert of all tokens; 5,632"),
            .read("qkv_bias", "biases of queries, keys and values; true where absent"),
            .read("max_window_layers", "the layers up to here, every other, have the window; 28"),
        ] + ExpertSettings.keys

    /// Keys that Qwen3-MoE has as well.
    static let layerKeys: [KnownKey] = [
        .read("moe_intermediate_size", "width of an expert"),
        .read("norm_topk_prob", "whether the weights of a token's experts add up to 1; false"),
        .read("decoder_sparse_step", "every n-th layer has experts; 1"),
        .read("mlp_only_layers", "layers that have none"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 32_768, keyValueHeadCount: 16)
        let attention = settings.attention(
            hasBias: try reader.flag("qkv_bias", default: true), rotary: try settings.rotary())
        let windows = try windows(settings)
        let sharedWidth =
            try reader.optionalCount("shared_expert_intermediate_size", limit: 1 << 22) ?? 5632
        let feedForwards = try feedForwards(settings, count: 60, topCount: 4, width: 1408) { part in
            func linear(_ name: String, _ outputCount: Int, _ inputCount: Int) -> LinearSpec {
                LinearSpec(
                    "mlp.shared_expert.\(name)_proj", outputCount: outputCount,
                    inputCount: inputCount)
            }
            part.width = sharedWidth
            part.inputs = .gated(
                gate: linear("gate", sharedWidth, settings.hiddenSize),
                up: linear("up", sharedWidth, settings.hiddenSize))
            part.down = linear("down", settings.hiddenSize, sharedWidth)
            part.experts?.sharedGate = LinearSpec(
                "mlp.shared_expert_gate", outputCount: 1, inputCount: settings.hiddenSize)
        }
        return try Llama.decoder(
            settings,
            attention: { layer in
                var own = attention
                own.window = windows[layer]
                return own
            }, feedForward: { feedForwards[$0] })
    }

    /// The feed-forward part of each layer: experts, as `addShared` completes them, or Llama's.
    static func feedForwards(
        _ settings: DecoderSettings, count: Int, topCount: Int, width: Int,
        addShared: (inout FeedForwardSpec) -> Void
    ) throws(TransformerError) -> [FeedForwardSpec] {
        let experts = try ExpertSettings(
            settings, countName: "num_experts", count: count, topCount: topCount,
            widthName: "moe_intermediate_size", width: width)
        var sparse = experts.feedForward(
            "mlp",
            experts.gated(
                "mlp", names: ("gate_proj", "up_proj", "down_proj"), maybeStacked: true,
                normalizesWeights: try settings.reader.flag("norm_topk_prob", default: false)))
        addShared(&sparse)
        let hasExperts = try experts.layersWithExperts()
        let dense =
            hasExperts.contains(false)
            ? settings.gatedFeedForward(width: try settings.intermediateSize(), .silu) : sparse
        return hasExperts.map { $0 ? sparse : dense }
    }

    /// Every other of the layers before `max_window_layers` has the window, unless `layer_types`
    /// says another thing.
    private static func windows(_ settings: DecoderSettings) throws(TransformerError) -> [Int?] {
        let reader = settings.reader
        guard try reader.flag("use_sliding_window", default: false) else {
            return Array(repeating: nil, count: settings.layerCount)
        }
        let window = try Mistral.window(reader)
        let count = try reader.optionalCount("max_window_layers", limit: 1 << 30) ?? 28
        let windowed =
            try settings.windowedLayers()
            ?? (0..<settings.layerCount).map { $0 % 2 == 0 && $0 < count }
        return windowed.map { $0 ? window : nil }
    }
}
