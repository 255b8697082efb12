internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Slopes instead of positions, a norm behind the embedding, and queries, keys and values of a head
/// together.
///
/// **Source**: arXiv 2211.05100; `BloomConfig` of transformers 5.
enum BLOOM: Architecture {
    static let modelTypes = ["bloom"]
    static let keys: [KnownKey] = [
        .read("n_layer", "layers"), .read("n_head", "heads"), .read("n_embed", "hidden size"),
        .read("seq_length", "positions; 2,048 where absent"),
        .read("layer_norm_epsilon", "the norms' epsilon"),
        .refused(
            "apply_residual_connection_post_layernorm", unless: [.bool(false)],
            "the residual stream behind a norm isn't served"),
        .withoutEffect("slow_but_exact", "how transformers runs"),
        .withoutEffect("offset_alibi", "of the program that wrote the file"),
        .withoutEffect("masked_softmax_fusion", "how transformers runs"),
        .withoutEffect("skip_bias_add*", "how transformers runs"),
        .withoutEffect("bias_dropout_fusion", "how transformers runs"),
        .withoutEffect("unk_token_id", "the tokenizer's own files name it"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let settings = try DecoderSettings(
            reader, positionCount: 2048,
            names: .init(
                hiddenSize: reader.isAbsent("hidden_size") ? "n_embed" : "hidden_size",
                layerCount: reader.isAbsent("n_layer") ? "num_hidden_layers" : "n_layer",
                queryHeadCount: reader.isAbsent("n_head") ? "num_attention_heads" : "n_head",
                keyValueHeadCount: nil, headDimension: nil, positionCount: "seq_length"))
        let size = settings.hiddenSize
        let epsilon = try reader.positive("layer_norm_epsilon", default: 1e-5)
        func norm(_ name: String) -> NormSpec {
            settings.norm(name, .layer, epsilon: epsilon)
        }
        func linear(_ name: String, _ outputCount: Int, _ inputCount: Int) -> LinearSpec {
            LinearSpec(name, outputCount: outputCount, inputCount: inputCount, hasBias: true)
        }
        var attention = AttentionSpec(
            name: "self_attention", queryHeadCount: settings.queryHeadCount,
            keyValueHeadCount: settings.queryHeadCount, headDimension: settings.headDimension,
            projections: .fused(
                linear("self_attention.query_key_value", 3 * size, size), order: .groups),
            output: linear("self_attention.dense", size, size), rotary: nil)
        attention.slopeScale = 1
        let feedForward = settings.plainFeedForward(
            width: 4 * size, .geluTanh, names: ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"))
        return try settings.decoder(
            embedding: EmbeddingSpec(
                name: "transformer.word_embeddings",
                norm: norm("transformer.word_embeddings_layernorm")),
            layers: "transformer.h",
            finalNorm: norm("transformer.ln_f"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied(default: true)),
            positionCount: settings.statedPositionCount
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention,
                feedForward: feedForward, attentionNorm: norm("input_layernorm"),
                feedForwardNorm: norm("post_attention_layernorm"))
        }
    }
}
