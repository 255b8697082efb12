internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Both parts side by side under norms of their own, queries, keys and values of a head together,
/// and heads that turn in part: GPT-NeoX and Pythia.
///
/// **Source**: arXiv 2204.06745; `GPTNeoXConfig` of transformers 5.
enum GPTNeoX: Architecture {
    static let modelTypes = ["gpt_neox"]
    static let keys: [KnownKey] = [
        .read("hidden_act", "an activation; gelu where absent"),
        .read("layer_norm_eps", "the norms' epsilon"),
        .read("use_parallel_residual", "both parts side by side; true where absent"),
        .read("rotary_pct", "the share of a head that positions turn; 0.25 where absent"),
        .read("partial_rotary_factor", "the same"),
        .read("rotary_emb_base", "theta"),
        .read("attention_bias", "biases of attention's modules; true where absent"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let settings = try DecoderSettings(
            reader, positionCount: 2048, names: .init(keyValueHeadCount: nil, headDimension: nil))
        let size = settings.hiddenSize
        let width = try settings.intermediateSize()
        let epsilon = try reader.positive("layer_norm_eps", default: 1e-5)
        let hasBias = try reader.flag("attention_bias", default: true)
        let isParallel = try reader.flag("use_parallel_residual", default: true)
        func norm(_ name: String) -> NormSpec {
            settings.norm(name, .layer, epsilon: epsilon)
        }
        let rotary = try settings.rotary(
            .init(
                theta: try reader.positive("rotary_emb_base", default: 10_000),
                part: try reader.positive("rotary_pct", default: 0.25)))
        let attention = AttentionSpec(
            name: "attention", queryHeadCount: settings.queryHeadCount,
            keyValueHeadCount: settings.queryHeadCount, headDimension: settings.headDimension,
            projections: .fused(
                LinearSpec(
                    "attention.query_key_value", outputCount: 3 * size, inputCount: size,
                    hasBias: hasBias), order: .groups),
            output: LinearSpec(
                "attention.dense", outputCount: size, inputCount: size, hasBias: hasBias),
            rotary: rotary)
        let feedForward = settings.plainFeedForward(
            width: width, try settings.activation(default: "gelu"),
            names: ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"))
        var spec = try settings.decoder(
            embedding: EmbeddingSpec(name: "gpt_neox.embed_in"),
            layers: "gpt_neox.layers",
            finalNorm: norm("gpt_neox.final_layer_norm"),
            head: HeadSpec(
                name: "embed_out", isTied: try settings.isTied(), otherName: "lm_head")
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention,
                feedForward: feedForward, attentionNorm: norm("input_layernorm"),
                feedForwardNorm: norm("post_attention_layernorm"), isParallel: isParallel)
        }
        spec.idleTensorEndings = [".attention.bias", ".attention.masked_bias"]
        return spec
    }
}
