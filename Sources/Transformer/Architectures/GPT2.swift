internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Learned positions, layer norms, and matrices that are stored the other way round.
///
/// **Source**: Radford et al. 2019; `GPT2Config` of transformers 5.
enum GPT2: Architecture {
    static let modelTypes = ["gpt2"]
    static let keys: [KnownKey] = [
        .read("n_embd", "hidden size"), .read("n_layer", "layers"), .read("n_head", "heads"),
        .read("n_positions", "positions; 1,024 where absent"),
        .read("n_inner", "width of the feed-forward part; 4 times the hidden size where absent"),
        .read("activation_function", "an activation; gelu_new where absent"),
        .read("layer_norm_epsilon", "the norms' epsilon"),
        .refused("scale_attn_weights", unless: [.bool(true)], "scores are always scaled"),
        .refused(
            "scale_attn_by_inverse_layer_idx", unless: [.bool(false)],
            "scores aren't scaled by the layer's number"),
        .withoutEffect("reorder_and_upcast_attn", "how transformers runs"),
        .withoutEffect("n_ctx", "an older name of n_positions beside it"),
        .withoutEffect("summary_*", "of classifiers"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let settings = try DecoderSettings(
            reader, positionCount: 1024,
            names: .init(
                hiddenSize: "n_embd", layerCount: "n_layer", queryHeadCount: "n_head",
                keyValueHeadCount: nil, headDimension: nil, positionCount: "n_positions"))
        let size = settings.hiddenSize
        let width = try reader.optionalCount("n_inner", limit: 1 << 22) ?? 4 * size
        let epsilon = try reader.positive("layer_norm_epsilon", default: 1e-5)
        func norm(_ name: String) -> NormSpec {
            settings.norm(name, .layer, epsilon: epsilon)
        }
        func linear(_ name: String, _ outputCount: Int, _ inputCount: Int) -> LinearSpec {
            LinearSpec(
                name, outputCount: outputCount, inputCount: inputCount, hasBias: true,
                isTransposed: true)
        }
        let attention = AttentionSpec(
            name: "attn", queryHeadCount: settings.queryHeadCount,
            keyValueHeadCount: settings.queryHeadCount, headDimension: settings.headDimension,
            projections: .fused(linear("attn.c_attn", 3 * size, size), order: .blocks),
            output: linear("attn.c_proj", size, size), rotary: nil)
        let feedForward = settings.plainFeedForward(
            width: width,
            try settings.activation("activation_function", default: "gelu_new"),
            names: ("mlp.c_fc", "mlp.c_proj"), isTransposed: true)
        var spec = try settings.decoder(
            embedding: EmbeddingSpec(
                name: "transformer.wte",
                positions: PositionTableSpec(
                    name: "transformer.wpe", count: settings.statedPositionCount, offset: 0)),
            layers: "transformer.h",
            finalNorm: norm("transformer.ln_f"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied(default: true)),
            positionCount: settings.statedPositionCount
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention,
                feedForward: feedForward, attentionNorm: norm("ln_1"),
                feedForwardNorm: norm("ln_2"))
        }
        spec.idleTensorEndings = [".attn.bias", ".attn.masked_bias"]
        return spec
    }
}
