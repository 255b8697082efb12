internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// One module for queries, keys and values, with few keys and values, and both parts side by side;
/// the newer form has a norm for each part, the older one for both.
///
/// **Source**: arXiv 2311.16867; `FalconConfig` of transformers 5.
enum Falcon: Architecture {
    static let modelTypes = ["falcon"]
    static let keys: [KnownKey] = [
        .read("layer_norm_epsilon", "the norms' epsilon"),
        .read("num_kv_heads", "heads of keys and values in the newer form"),
        .read("num_ln_in_parallel_attn", "norms of a layer in the newer form; 2 where absent"),
        .read("new_decoder_architecture", "the newer form"),
        .read("multi_query", "one head of keys and values in the older form; true where absent"),
        .read("parallel_attn", "both parts side by side; true where absent"),
        .read("alibi", "slopes instead of rotary embedding"),
        .read("bias", "biases of linear modules"),
        .read("ffn_hidden_size", "4 times the hidden size where absent"),
        .read("activation", "an activation; gelu where absent"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        let isNew = try reader.flag("new_decoder_architecture", default: false)
        let isStatedParallel = try reader.flag("parallel_attn", default: true)
        let isParallel = isNew || isStatedParallel
        let multiQuery = try reader.flag("multi_query", default: true)
        let settings = try DecoderSettings(
            reader, positionCount: 2048, keyValueHeadCount: !isNew && multiQuery ? 1 : nil,
            names: .init(keyValueHeadCount: isNew ? "num_kv_heads" : nil, headDimension: nil))
        let size = settings.hiddenSize
        let hasBias = try reader.flag("bias", default: false)
        let hasSlopes = try reader.flag("alibi", default: false)
        let width = try reader.optionalCount("ffn_hidden_size", limit: 1 << 22) ?? 4 * size
        let epsilon = try reader.positive("layer_norm_epsilon", default: 1e-5)
        let normCount = try reader.optionalCount("num_ln_in_parallel_attn", limit: 2)
        func norm(_ name: String) -> NormSpec {
            settings.norm(name, .layer, epsilon: epsilon)
        }
        func linear(_ name: String, _ outputCount: Int, _ inputCount: Int) -> LinearSpec {
            LinearSpec(name, outputCount: outputCount, inputCount: inputCount, hasBias: hasBias)
        }
        var attention = AttentionSpec(
            name: "self_attention", queryHeadCount: settings.queryHeadCount,
            keyValueHeadCount: settings.keyValueHeadCount, headDimension: settings.headDimension,
            projections: .fused(
                linear(
                    "self_attention.query_key_value", size + 2 * settings.keyValueWidth, size),
                order: .groups),
            output: linear("self_attention.dense", size, size),
            rotary: hasSlopes ? nil : try settings.rotary())
        // Slopes are scaled with the scores here.
        if hasSlopes { attention.slopeScale = attention.scale }
        let feedForward = settings.plainFeedForward(
            width: width, try settings.activation("activation", default: "gelu"),
            names: ("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"), hasBias: hasBias)
        let hasTwo = isNew && normCount ?? 2 == 2
        return try settings.decoder(
            embedding: EmbeddingSpec(name: "transformer.word_embeddings"),
            layers: "transformer.h",
            finalNorm: norm("transformer.ln_f"),
            head: HeadSpec(name: "lm_head", isTied: try settings.isTied(default: true))
        ) { name, _ in
            LayerSpec(
                name: name, attention: attention,
                feedForward: feedForward,
                attentionNorm: norm(hasTwo ? "ln_attn" : "input_layernorm"),
                feedForwardNorm: hasTwo
                    ? norm("ln_mlp") : isParallel ? nil : norm("post_attention_layernorm"),
                isParallel: isParallel)
        }
    }
}
