internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// LLaMA and its followers: norms before each part, separate projections, a gated feed-forward
/// part.
///
/// **Source**: arXiv 2302.13971; `LlamaConfig` of transformers 5.
enum Llama: Architecture {
    static let modelTypes = ["llama"]
    static let keys: [KnownKey] = []

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 2048)
        let attentionBias = try reader.flag("attention_bias", default: false)
        let rotary = try settings.rotary()
        return try decoder(
            settings,
            attention: { _ in
                settings.attention(
                    hasBias: attentionBias, outputHasBias: attentionBias, rotary: rotary)
            },
            feedForwardBias: try reader.flag("mlp_bias", default: false))
    }

    /// A decoder with Llama's names, and its own attention in each layer.
    static func decoder(
        _ settings: DecoderSettings, attention: (Int) -> AttentionSpec,
        feedForwardBias: Bool = false
    ) throws(TransformerError) -> DecoderSpec {
        let feedForward = settings.gatedFeedForward(
            width: try settings.intermediateSize(), .silu, hasBias: feedForwardBias)
        return try decoder(settings, attention: attention, feedForward: { _ in feedForward })
    }

    /// The same with its own feed-forward part in each layer as well.
    static func decoder(
        _ settings: DecoderSettings, attention: (Int) -> AttentionSpec,
        feedForward: (Int) -> FeedForwardSpec, epsilon fallback: Float = 1e-6
    ) throws(TransformerError) -> DecoderSpec {
        let epsilon = try settings.reader.positive("rms_norm_eps", default: fallback)
        func norm(_ name: String) -> NormSpec {
            settings.norm(name, epsilon: epsilon)
        }
        return try settings.decoder(
            finalNorm: norm("model.norm"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied())
        ) { name, layer in
            LayerSpec(
                name: name, attention: attention(layer),
                feedForward: feedForward(layer), attentionNorm: norm("input_layernorm"),
                feedForwardNorm: norm("post_attention_layernorm"))
        }
    }

    static func requireSiLU(_ reader: SettingReader) throws(TransformerError) {
        if let activation = try reader.optionalText("hidden_act"),
            activation != "silu", activation != "swish"
        {
            throw reader.unsupported("hidden_act", activation, supported: "silu")
        }
    }
}
