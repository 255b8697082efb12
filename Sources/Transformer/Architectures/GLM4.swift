internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block with one module for gate and up, neighbouring pairs of half of each head, and in
/// the newer form norms on both sides of each part: GLM-4.
///
/// **Source**: arXiv 2406.12793; `GlmConfig` and `Glm4Config` of transformers 5.
enum GLM4: Architecture {
    static let modelTypes = ["glm", "glm4"]
    static let keys: [KnownKey] = [
        .read("attention_bias", "biases of queries, keys and values; true where absent"),
        .read("partial_rotary_factor", "the share of a head that positions turn; 0.5"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(
            reader, positionCount: 131_072, keyValueHeadCount: 2, headDimension: 128)
        let width = try settings.intermediateSize()
        let epsilon = try reader.positive("rms_norm_eps", default: 1.5625e-7)
        let hasOutputNorms = settings.modelType == "glm4"
        let attention = settings.attention(
            hasBias: try reader.flag("attention_bias", default: true),
            rotary: try settings.rotary(.init(part: 0.5, isInterleaved: true)))
        let feedForward = settings.fusedGatedFeedForward(width: width, .silu)
        func norm(_ name: String) -> NormSpec {
            settings.norm(name, epsilon: epsilon)
        }
        return try settings.decoder(
            finalNorm: norm("model.norm"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied())
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention, feedForward: feedForward,
                attentionNorm: norm("input_layernorm"),
                attentionOutputNorm: hasOutputNorms ? norm("post_self_attn_layernorm") : nil,
                feedForwardNorm: norm("post_attention_layernorm"),
                feedForwardOutputNorm: hasOutputNorms ? norm("post_mlp_layernorm") : nil)
        }
    }
}
