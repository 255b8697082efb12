internal import StrictJSON

// Architectures with one module for queries, keys and values and a feed-forward part without gate.

extension GGUFTensorNames {
    private static func fused(
        _ prefix: String, layers: String, embedding: String, norm: String, head: String,
        _ inner: [String: String]
    ) -> GGUFTensorNames {
        GGUFTensorNames(
            outer: [
                "token_embd": "\(prefix).\(embedding)", "output_norm": "\(prefix).\(norm)",
                "output": head,
            ], layers: "\(prefix).\(layers)", inner: inner)
    }

    fileprivate static var gpt2: GGUFTensorNames {
        var names = fused(
            "transformer", layers: "h", embedding: "wte", norm: "ln_f", head: "lm_head",
            [
                "attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj",
                "ffn_norm": "ln_2", "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj",
            ])
        names.outer["position_embd"] = "transformer.wpe"
        return names
    }

    fileprivate static let gptNeoX = fused(
        "gpt_neox", layers: "layers", embedding: "embed_in", norm: "final_layer_norm",
        head: "embed_out", wide("attention"))

    fileprivate static var bloom: GGUFTensorNames {
        var names = fused(
            "transformer", layers: "h", embedding: "word_embeddings", norm: "ln_f",
            head: "lm_head", wide("self_attention"))
        names.outer["token_embd_norm"] = "transformer.word_embeddings_layernorm"
        return names
    }

    /// - Parameter hasTwoNorms: the name of one norm is another's where there are two.
    fileprivate static func falcon(hasTwoNorms: Bool) -> GGUFTensorNames {
        var names = fused(
            "transformer", layers: "h", embedding: "word_embeddings", norm: "ln_f",
            head: "lm_head", wide("self_attention"))
        names.inner["ffn_norm"] = nil
        if hasTwoNorms {
            names.inner["attn_norm"] = "ln_mlp"
            names.inner["attn_norm_2"] = "ln_attn"
        }
        return names
    }

    private static func wide(_ attention: String) -> [String: String] {
        [
            "attn_norm": "input_layernorm", "attn_qkv": "\(attention).query_key_value",
            "attn_output": "\(attention).dense", "ffn_norm": "post_attention_layernorm",
            "ffn_up": "mlp.dense_h_to_4h", "ffn_down": "mlp.dense_4h_to_h",
        ]
    }
}

extension StoredLayout {
    /// The converter puts all queries before all keys and these before all values.
    fileprivate static let blocks = StoredLayout.gguf { $0.groupsAreBlocks = true }
}

enum GGUFGPT2: GGUFArchitecture {
    static let name = "gpt2"
    static let modelTypes = ["gpt2"]
    static let className = "GPT2LMHeadModel"

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames { .gpt2 }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes(
            .init(
                hiddenSize: "n_embd", width: "n_inner", layerCount: "n_layer", headCount: "n_head",
                keyValueHeadCount: nil, headDimension: nil, positionCount: "n_positions"))
        // The table has the last word.
        if let shape = settings.shape("position_embd.weight"), shape.count == 2 {
            settings["n_positions"] = .integer(Int64(shape[0]))
        }
        try settings.addEpsilon("layer_norm_epsilon")
    }
}

enum GGUFGPTNeoX: GGUFArchitecture {
    static let name = "gptneox"
    static let modelTypes = ["gpt_neox"]
    static let className = "GPTNeoXForCausalLM"
    static let layout = StoredLayout.blocks
    static let keys: [KnownKey] = [
        .read("{arch}.use_parallel_residual", "both parts side by side; true where absent")
    ]

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames { .gptNeoX }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes(.init(keyValueHeadCount: nil, headDimension: nil))
        try settings.addEpsilon("layer_norm_eps")
        try settings.addRotary(canTurnPart: true)
        settings["use_parallel_residual"] = .bool(
            try settings.file.values.flag(settings.full("use_parallel_residual")) ?? true)
        settings["attention_bias"] = .bool(settings.has("blk.0.attn_qkv.bias"))
    }
}

enum GGUFFalcon: GGUFArchitecture {
    static let name = "falcon"
    static let modelTypes = ["falcon"]
    static let className = "FalconForCausalLM"
    static let layout = StoredLayout.blocks
    private static let secondNorm = "blk.0.attn_norm_2.weight"

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        .falcon(hasTwoNorms: has(secondNorm))
    }

    /// The older form has one head of keys and values, and one norm.
    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes(
            .init(width: "ffn_hidden_size", keyValueHeadCount: nil, headDimension: nil))
        try settings.addEpsilon("layer_norm_epsilon")
        try settings.addRotary()
        let headCount = try settings.count("attention.head_count") ?? 1
        let keyValueHeadCount = try settings.count("attention.head_count_kv") ?? headCount
        let hasTwoNorms = settings.has(secondNorm)
        let isNew = hasTwoNorms || keyValueHeadCount > 1
        settings["new_decoder_architecture"] = .bool(isNew)
        settings["multi_query"] = .bool(!isNew)
        settings["num_kv_heads"] = isNew ? .integer(Int64(keyValueHeadCount)) : nil
        settings["num_ln_in_parallel_attn"] = isNew ? .integer(hasTwoNorms ? 2 : 1) : nil
        settings["parallel_attn"] = .bool(true)
        settings["alibi"] = .bool(false)
        settings["bias"] = .bool(settings.has("blk.0.attn_qkv.bias"))
    }
}

enum GGUFBLOOM: GGUFArchitecture {
    static let name = "bloom"
    static let modelTypes = ["bloom"]
    static let className = "BloomForCausalLM"
    static let layout = StoredLayout.blocks

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames { .bloom }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes(
            .init(
                width: nil, layerCount: "n_layer", headCount: "n_head", keyValueHeadCount: nil,
                headDimension: nil, positionCount: "seq_length"))
        try settings.addEpsilon("layer_norm_epsilon")
    }
}
