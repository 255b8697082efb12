internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block with four multipliers.
///
/// **Source**: arXiv 2405.04324; `GraniteConfig` of transformers 5.
enum Granite: Architecture {
    static let modelTypes = ["granite"]
    static let keys: [KnownKey] = [
        .read("embedding_multiplier", "factor on the embedding's rows"),
        .read("residual_multiplier", "factor on what a part of a layer adds"),
        .read("attention_multiplier", "factor on scores"),
        .read("logits_scaling", "divides logits"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let settings = try DecoderSettings(reader, positionCount: 2048)
        return try decoder(
            settings,
            settings.gatedFeedForward(
                width: try settings.intermediateSize(), .silu,
                hasBias: try reader.flag("mlp_bias", default: false)))
    }

    /// The block with another feed-forward part.
    static func decoder(
        _ settings: DecoderSettings, _ feedForward: FeedForwardSpec
    ) throws(TransformerError) -> DecoderSpec {
        let reader = settings.reader
        try Llama.requireSiLU(reader)
        let hasBias = try reader.flag("attention_bias", default: false)
        let epsilon = try reader.positive("rms_norm_eps", default: 1e-6)
        let residual = try reader.positive("residual_multiplier", default: 1)
        let attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias, rotary: try settings.rotary(),
            scale: try reader.positive("attention_multiplier", default: 1))
        func norm(_ name: String) -> NormSpec {
            settings.norm(name, epsilon: epsilon)
        }
        return try settings.decoder(
            embedding: EmbeddingSpec(
                name: "model.embed_tokens",
                scale: try reader.positive("embedding_multiplier", default: 1),
                scalesPrompts: true),
            finalNorm: norm("model.norm"),
            head: HeadSpec(
                name: "lm_head", isTied: try settings.isTied(),
                scale: 1 / (try reader.positive("logits_scaling", default: 1)))
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention, feedForward: feedForward,
                attentionNorm: norm("input_layernorm"),
                feedForwardNorm: norm("post_attention_layernorm"), residualScale: residual)
        }
    }
}
