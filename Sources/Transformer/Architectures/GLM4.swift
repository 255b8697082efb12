internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block with one module for gate and up, neighbouring pairs of half of each head, and in
/// the newer form norms on both sides of each part: GLM-4.
///
/// **Source**: arXiv 2406.12793; `GlmConfig` and `Glm4Config` of transformers 5.
enum GLM4: Architecture {
    static let modelTypes = ["glm", "glm4"]
    static let keys: [KnownKey] = [
        .read("attention_bias", "biases of queries, keys and values; true where absent"),
        .read("partial_rotary_factor", "the share of a head that positions turn; 0.5"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(
            reader, positionCount: 131_072, keyValueHeadCount: 2, headDimension: 128)
        let width = try settings.intermediateSize()
        let epsilon = try reader.positive("rms_norm_eps", default: 1.5625e-7)
        let hasOutputNorms = settings.modelType == "glm4"
        let attention = settings.attention(
            hasBias: try reader.flag("attention_bias", default: true),
            rotary: try settings.rotary(.init(part: 0.5, isInterleaved: true)))
        let feedForward = FeedForwardSpec(
            name: "mlp", width: width, activation: .silu,
            inputs: .fusedGated(
                LinearSpec(
                    "mlp.gate_up_proj", outputCount: 2 * width, inputCount: settings.hiddenSize)),
            down: LinearSpec("mlp.down_proj", outputCount: settings.hiddenSize, inputCount: width))
        func norm(_ name: String) -> NormSpec {
            NormSpec(name, width: settings.hiddenSize, epsilon: epsilon)
        }
        return DecoderSpec(
            modelType: settings.modelType, vocabularyCount: settings.vocabularyCount,
            hiddenSize: settings.hiddenSize, maximumPositionCount: try settings.positionCount(),
            embedding: EmbeddingSpec(name: "model.embed_tokens"),
            layers: (0..<settings.layerCount).map { layer in
                LayerSpec(
                    name: "model.layers.\(layer)", attention: attention, feedForward: feedForward,
                    attentionNorm: norm("input_layernorm"),
                    attentionOutputNorm: hasOutputNorms ? norm("post_self_attn_layernorm") : nil,
                    feedForwardNorm: norm("post_attention_layernorm"),
                    feedForwardOutputNorm: hasOutputNorms ? norm("post_mlp_layernorm") : nil)
            },
            finalNorm: norm("model.norm"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied()))
    }
}
