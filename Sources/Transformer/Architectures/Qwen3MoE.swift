internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Qwen3's block with experts in place of the feed-forward part.
///
/// **Source**: arXiv 2505.09388; `Qwen3MoeConfig` of transformers 5.
enum Qwen3MoE: Architecture {
    static let modelTypes = ["qwen3_moe"]
    static let keys: [KnownKey] =
        Qwen2MoE.layerKeys + [
            .read("use_sliding_window", "whether all layers have the window; false"),
            .withoutEffect("layer_types", "all layers of this architecture are alike"),
            .withoutEffect("max_window_layers", "all layers of this architecture are alike"),
        ] + ExpertSettings.keys

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 32_768, keyValueHeadCount: 4)
        let hasBias = try reader.flag("attention_bias", default: false)
        let epsilon = try reader.positive("rms_norm_eps", default: 1e-6)
        var attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias, rotary: try settings.rotary())
        let width = settings.headDimension
        attention.queryNorm = NormSpec("self_attn.q_norm", width: width, epsilon: epsilon)
        attention.keyNorm = NormSpec("self_attn.k_norm", width: width, epsilon: epsilon)
        if try reader.flag("use_sliding_window", default: false) {
            attention.window = try Mistral.window(reader)
        }
        let feedForwards = try Qwen2MoE.feedForwards(
            settings, count: 128, topCount: 8, width: 768, addShared: { _ in })
        return try Llama.decoder(
            settings, attention: { _ in attention }, feedForward: { feedForwards[$0] })
    }
}
