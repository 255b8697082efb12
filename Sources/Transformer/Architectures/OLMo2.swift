internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block with norms behind its parts instead of before them, and norms of all queries and
/// all keys together.
///
/// **Source**: arXiv 2501.00656; `Olmo2Config` of transformers 5.
enum OLMo2: Architecture {
    static let modelTypes = ["olmo2"]
    static let keys: [KnownKey] = []

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 2048)
        let hasBias = try reader.flag("attention_bias", default: false)
        let epsilon = try reader.positive("rms_norm_eps", default: 1e-5)
        func norm(_ name: String, _ width: Int? = nil) -> NormSpec {
            NormSpec(name, width: width ?? settings.hiddenSize, epsilon: epsilon)
        }
        var attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias, rotary: try settings.rotary())
        attention.queryNorm = norm("self_attn.q_norm", settings.queryWidth)
        attention.keyNorm = norm("self_attn.k_norm", settings.keyValueWidth)
        let feedForward = settings.gatedFeedForward(
            width: try settings.intermediateSize(), .silu)
        return try settings.decoder(
            finalNorm: norm("model.norm"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied())
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention, feedForward: feedForward,
                attentionOutputNorm: norm("post_attention_layernorm"),
                feedForwardOutputNorm: norm("post_feedforward_layernorm"))
        }
    }
}
