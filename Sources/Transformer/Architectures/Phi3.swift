internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block with one module for queries, keys and values, and one for gate and up: Phi-3,
/// Phi-4 and their small ones.
///
/// **Source**: arXiv 2404.14219; `Phi3Config` of transformers 5.
enum Phi3: Architecture {
    static let modelTypes = ["phi3"]
    static let keys: [KnownKey] = [
        .read("partial_rotary_factor", "the share of a head that positions turn"),
        .withoutEffect("embd_layer", "of the family's other models"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 4096)
        let epsilon = try reader.positive("rms_norm_eps", default: 1e-5)
        let width = try settings.intermediateSize()
        var attention = settings.attention(rotary: try settings.rotary(.init(part: 1)))
        attention.projections = .fused(
            LinearSpec(
                "self_attn.qkv_proj",
                outputCount: settings.queryWidth + 2 * settings.keyValueWidth,
                inputCount: settings.hiddenSize), order: .blocks)
        attention.window = try reader.optionalCount("sliding_window", limit: 1 << 30)
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
                    feedForwardNorm: norm("post_attention_layernorm"))
            },
            finalNorm: norm("model.norm"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied()))
    }
}
