internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block with layer norms and heads that turn in part; some have both parts side by side.
///
/// **Source**: `StableLmConfig` of transformers 5.
enum StableLM: Architecture {
    static let modelTypes = ["stablelm"]
    static let keys: [KnownKey] = [
        .read("layer_norm_eps", "the norms' epsilon"),
        .read("use_qkv_bias", "biases of queries, keys and values"),
        .read("use_parallel_residual", "both parts side by side"),
        .read("partial_rotary_factor", "the share of a head that positions turn; 0.25"),
        .refused("qk_layernorm", unless: [.bool(false)], "a norm for each head isn't served"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 4096, keyValueHeadCount: 32)
        let epsilon = try reader.positive("layer_norm_eps", default: 1e-5)
        let isParallel = try reader.flag("use_parallel_residual", default: false)
        let attention = settings.attention(
            hasBias: try reader.flag("use_qkv_bias", default: false),
            rotary: try settings.rotary(.init(part: 0.25)))
        let feedForward = settings.gatedFeedForward(
            width: try settings.intermediateSize(), .silu)
        func norm(_ name: String) -> NormSpec {
            settings.norm(name, .layer, epsilon: epsilon)
        }
        return try settings.decoder(
            finalNorm: norm("model.norm"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied())
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention, feedForward: feedForward,
                attentionNorm: norm("input_layernorm"),
                feedForwardNorm: isParallel ? nil : norm("post_attention_layernorm"),
                isParallel: isParallel)
        }
    }
}
