internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Both parts of a layer side by side under one layer norm, with biases, and heads that turn in
/// part: Phi-1, Phi-1.5 and Phi-2.
///
/// **Source**: arXiv 2309.05463; `PhiConfig` of transformers 5.
enum Phi: Architecture {
    static let modelTypes = ["phi"]
    static let keys: [KnownKey] = [
        .read("hidden_act", "an activation; gelu_new where absent"),
        .read("layer_norm_eps", "the norms' epsilon"),
        .read("partial_rotary_factor", "the share of a head that positions turn; 0.5"),
        .read("qk_layernorm", "whether queries and keys have norms"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let settings = try DecoderSettings(reader, positionCount: 2048)
        let epsilon = try reader.positive("layer_norm_eps", default: 1e-5)
        let width = try settings.intermediateSize()
        func norm(_ name: String, _ width: Int? = nil) -> NormSpec {
            NormSpec(
                name, width: width ?? settings.hiddenSize, kind: .layer, hasBias: true,
                epsilon: epsilon)
        }
        var attention = settings.attention(
            hasBias: true, outputName: "dense", outputHasBias: true,
            rotary: try settings.rotary(.init(part: 0.5)))
        if try reader.flag("qk_layernorm", default: false) {
            attention.queryNorm = norm("self_attn.q_layernorm", settings.headDimension)
            attention.keyNorm = norm("self_attn.k_layernorm", settings.headDimension)
        }
        let feedForward = settings.plainFeedForward(
            width: width, try settings.activation(default: "gelu_new"),
            names: ("mlp.fc1", "mlp.fc2"))
        return try settings.decoder(
            finalNorm: norm("model.final_layernorm"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied(), hasBias: true)
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention, feedForward: feedForward,
                attentionNorm: norm("input_layernorm"), isParallel: true)
        }
    }
}
