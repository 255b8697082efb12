internal import StrictJSON

/// GLM-4 of 2025, with norms on both sides of each part. Pairs are neighbours here as they are in
/// Hugging Face's.
enum GGUFGLM4: GGUFArchitecture {
    static let name = "glm4"
    static let modelTypes = ["glm4"]
    static let className = "Glm4ForCausalLM"

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        .llama([
            "ffn_gate": "", "ffn_up": "mlp.gate_up_proj",
            "post_attention_norm": "post_self_attn_layernorm",
            "post_ffw_norm": "post_mlp_layernorm",
        ])
    }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try GGUFChatGLM.fill(&settings)
    }
}

/// ChatGLM and GLM-4 of 2024, where queries, keys and values are tensors of their own.
enum GGUFChatGLM: GGUFArchitecture {
    static let name = "chatglm"
    static let modelTypes = ["glm"]
    static let className = "GlmForCausalLM"

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        .llama(["ffn_gate": "", "ffn_up": "mlp.gate_up_proj"])
    }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes()
        try settings.addRMSEpsilon()
        settings["head_dim"] = .integer(Int64(try settings.headDimension()))
        try settings.addRotary(canTurnPart: true)
        settings["attention_bias"] = .bool(settings.hasProjectionBias)
    }
}
