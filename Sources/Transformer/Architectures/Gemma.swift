internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block with wider heads, gains that are stored less 1, and a scaled embedding.
///
/// **Source**: arXiv 2403.08295; `GemmaConfig` of transformers 5.
enum Gemma: Architecture {
    static let modelTypes = ["gemma"]
    static let keys: [KnownKey] = [
        .read("hidden_act", "an activation; gelu_pytorch_tanh where absent"),
        bidirectional,
        .withoutEffect("hidden_activation", "transformers takes hidden_act"),
    ]

    static let bidirectional = KnownKey.refused(
        "use_bidirectional_attention", unless: [.bool(false)],
        "attention to later tokens isn't served")

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let settings = try DecoderSettings(
            reader, positionCount: 8192, keyValueHeadCount: 16, headDimension: 256)
        let hasBias = try reader.flag("attention_bias", default: false)
        let attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias, rotary: try settings.rotary())
        let norms = try Norms(settings)
        // The first files said gelu and meant its approximation.
        let stated = try settings.activation(default: "gelu_pytorch_tanh")
        let feedForward = settings.gatedFeedForward(
            width: try settings.intermediateSize(), stated == .gelu ? .geluTanh : stated)
        return try decoder(settings, norms) { name, _ in
            LayerSpec(
                name: name, attention: attention, feedForward: feedForward,
                attentionNorm: norms.named("input_layernorm"),
                feedForwardNorm: norms.named("post_attention_layernorm"))
        }
    }

    /// Norms whose gains are stored less 1.
    struct Norms {
        private let width: Int
        private let epsilon: Float

        init(_ settings: DecoderSettings) throws(TransformerError) {
            width = settings.hiddenSize
            epsilon = try settings.reader.positive("rms_norm_eps", default: 1e-6)
        }

        func named(_ name: String, width: Int? = nil) -> NormSpec {
            NormSpec(name, width: width ?? self.width, kind: .rms(offset: 1), epsilon: epsilon)
        }
    }

    /// What all generations have around their layers.
    static func decoder(
        _ settings: DecoderSettings, _ norms: Norms, softCap: Float? = nil,
        layer: (String, Int) -> LayerSpec
    ) throws(TransformerError) -> DecoderSpec {
        try settings.decoder(
            embedding: EmbeddingSpec(
                name: "model.embed_tokens", scale: Float(settings.hiddenSize).squareRoot()),
            finalNorm: norms.named("model.norm"),
            head: HeadSpec(
                name: "lm_head", isTied: try settings.isTied(default: true), softCap: softCap),
            layer: layer)
    }

    /// Norms before and behind both parts, as from the second generation on.
    static func sandwich(
        _ name: String, _ norms: Norms, _ attention: AttentionSpec, _ feedForward: FeedForwardSpec
    ) -> LayerSpec {
        LayerSpec(
            name: name, attention: attention, feedForward: feedForward,
            attentionNorm: norms.named("input_layernorm"),
            attentionOutputNorm: norms.named("post_attention_layernorm"),
            feedForwardNorm: norms.named("pre_feedforward_layernorm"),
            feedForwardOutputNorm: norms.named("post_feedforward_layernorm"))
    }

    /// 1/√(`query_pre_attn_scalar`)
    static func scale(_ reader: SettingReader) throws(TransformerError) -> Float {
        1 / (try reader.positive("query_pre_attn_scalar", default: 256)).squareRoot()
    }

    /// A cap on logits: null is none, and where it is absent there is the default.
    static func cap(
        _ reader: SettingReader, _ name: String, default fallback: Float?
    ) throws(TransformerError) -> Float? {
        guard let value = reader.object[name] else { return fallback }
        return value.isNull ? nil : try reader.positive(name)
    }
}
