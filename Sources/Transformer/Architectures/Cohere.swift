internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Both parts side by side under one layer norm without bias, neighbouring pairs, and scaled
/// logits: Command R and Aya.
///
/// **Source**: `CohereConfig` of transformers 5.
enum Cohere: Architecture {
    static let modelTypes = ["cohere"]
    static let keys: [KnownKey] = [
        .read("layer_norm_eps", "the norms' epsilon"),
        .read("logit_scale", "factor on logits; 0.0625 where absent"),
        .refused("use_qk_norm", unless: [.bool(false)], "a norm for each head isn't served"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 8192)
        let hasBias = try reader.flag("attention_bias", default: false)
        let epsilon = try reader.positive("layer_norm_eps", default: 1e-5)
        let attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias,
            rotary: try settings.rotary(.init(isInterleaved: true)))
        let feedForward = settings.gatedFeedForward(
            width: try settings.intermediateSize(), .silu)
        func norm(_ name: String) -> NormSpec {
            NormSpec(name, width: settings.hiddenSize, kind: .layer, epsilon: epsilon)
        }
        return try settings.decoder(
            finalNorm: norm("model.norm"),
            head: HeadSpec(
                name: "lm_head", isTied: try settings.isTied(default: true),
                scale: try reader.positive("logit_scale", default: 0.0625))
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention, feedForward: feedForward,
                attentionNorm: norm("input_layernorm"), isParallel: true)
        }
    }
}
