internal import StrictJSON

enum GGUFQwen2: GGUFArchitecture {
    static let name = "qwen2"
    static let modelTypes = ["qwen2"]
    static let className = "Qwen2ForCausalLM"
    static let keys: [KnownKey] = [GGUFKeys.window]

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try fillAll(&settings)
        settings["mlp_bias"] = .bool(settings.has("blk.0.ffn_gate.bias"))
    }

    /// A window is one of all layers.
    static func fillAll(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try GGUFLlama.fillAll(&settings)
        settings["attention_bias"] = .bool(settings.hasProjectionBias)
        guard try settings.window() != nil else { return }
        settings["use_sliding_window"] = .bool(true)
        settings["max_window_layers"] = .integer(0)
        try settings.addWindow()
    }
}

enum GGUFQwen3: GGUFArchitecture {
    static let name = "qwen3"
    static let modelTypes = ["qwen3"]
    static let className = "Qwen3ForCausalLM"
    static let keys: [KnownKey] = [GGUFKeys.window]

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        .llama(["attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"])
    }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try GGUFQwen2.fillAll(&settings)
        // transformers has 128 where it is absent, llama.cpp the hidden size by query heads.
        settings["head_dim"] = .integer(Int64(try settings.headDimension()))
    }
}
