internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's attention with biases and a window, layer norms, and a feed-forward part without gate.
///
/// **Source**: arXiv 2402.19173; `Starcoder2Config` of transformers 5.
enum StarCoder2: Architecture {
    static let modelTypes = ["starcoder2"]
    static let keys: [KnownKey] = [
        .read("hidden_act", "an activation; gelu_pytorch_tanh where absent"),
        .read("norm_epsilon", "the norms' epsilon"),
        .read("use_bias", "biases of linear modules; true where absent"),
        .withoutEffect("embedding_dropout", "of training"),
        .withoutEffect("norm_type", "of the program that wrote the file"),
        .withoutEffect("mlp_type", "of the program that wrote the file"),
        .withoutEffect("attention_softmax_in_fp32", "how transformers runs"),
        .withoutEffect("scale_attention_softmax_in_fp32", "how transformers runs"),
        .withoutEffect("scale_attn_weights", "how transformers runs"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let settings = try DecoderSettings(reader, positionCount: 4096, keyValueHeadCount: 2)
        let hasBias = try reader.flag("use_bias", default: true)
        let width = try settings.intermediateSize()
        let epsilon = try reader.positive("norm_epsilon", default: 1e-5)
        func norm(_ name: String) -> NormSpec {
            settings.norm(name, .layer, epsilon: epsilon)
        }
        var attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias, rotary: try settings.rotary())
        attention.window = try reader.optionalCount("sliding_window", limit: 1 << 30)
        let feedForward = settings.plainFeedForward(
            width: width, try settings.activation(default: "gelu_pytorch_tanh"),
            names: ("mlp.c_fc", "mlp.c_proj"), hasBias: hasBias)
        return try settings.decoder(
            finalNorm: norm("model.norm"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied(default: true))
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention, feedForward: feedForward,
                attentionNorm: norm("input_layernorm"),
                feedForwardNorm: norm("post_attention_layernorm"))
        }
    }
}
