internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Gemma with norms on both sides of each part, capped logits, and a window in every other layer.
///
/// **Source**: arXiv 2408.00118; `Gemma2Config` of transformers 5.
enum Gemma2: Architecture {
    static let modelTypes = ["gemma2"]
    static let keys: [KnownKey] = [
        .read("hidden_activation", "an activation; gelu_pytorch_tanh where absent"),
        .read("query_pre_attn_scalar", "whose root divides scores; 256 where absent"),
        .read("attn_logit_softcapping", "the cap of scores; 50 where absent, null is none"),
        .read("final_logit_softcapping", "the cap of logits; 30 where absent, null is none"),
        .withoutEffect("hidden_act", "transformers takes hidden_activation"),
        .withoutEffect("cache_implementation", "how transformers runs"),
        Gemma.bidirectional,
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let settings = try DecoderSettings(
            reader, positionCount: 8192, keyValueHeadCount: 4, headDimension: 256)
        let hasBias = try reader.flag("attention_bias", default: false)
        let norms = try Gemma.Norms(settings)
        var attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias, rotary: try settings.rotary(),
            scale: try Gemma.scale(reader))
        attention.softCap = try Gemma.cap(reader, "attn_logit_softcapping", default: 50)
        let window = try Mistral.window(reader)
        let windowed =
            try settings.windowedLayers() ?? (0..<settings.layerCount).map { $0 % 2 == 0 }
        let feedForward = settings.gatedFeedForward(
            width: try settings.intermediateSize(),
            try settings.activation("hidden_activation", default: "gelu_pytorch_tanh"))
        return try Gemma.decoder(
            settings, norms,
            softCap: try Gemma.cap(reader, "final_logit_softcapping", default: 30)
        ) { name, layer in
            var own = attention
            own.window = windowed[layer] ? window : nil
            return Gemma.sandwich(name, norms, own, feedForward)
        }
    }
}
