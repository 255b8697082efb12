internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Qwen2's block without biases, with a norm of each head's queries and keys.
///
/// **Source**: arXiv 2505.09388; `Qwen3Config` of transformers 5.
enum Qwen3: Architecture {
    static let modelTypes = ["qwen3"]
    static let keys: [KnownKey] = []

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(
            reader, positionCount: 32_768, keyValueHeadCount: 32, headDimension: 128)
        let hasBias = try reader.flag("attention_bias", default: false)
        let epsilon = try reader.positive("rms_norm_eps", default: 1e-6)
        var attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias, rotary: try settings.rotary())
        let width = settings.headDimension
        attention.queryNorm = NormSpec("self_attn.q_norm", width: width, epsilon: epsilon)
        attention.keyNorm = NormSpec("self_attn.k_norm", width: width, epsilon: epsilon)
        let windows = try Qwen2.windows(settings)
        return try Llama.decoder(
            settings,
            attention: { layer in
                var own = attention
                own.window = windows[layer]
                return own
            })
    }
}
