internal import StrictJSON

enum GGUFStableLM: GGUFArchitecture {
    static let name = "stablelm"
    static let modelTypes = ["stablelm"]
    static let className = "StableLmForCausalLM"
    static let keys: [KnownKey] = [
        .withoutEffect("{arch}.use_parallel_residual", "the norms tell, as in llama.cpp")
    ]

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes(.init(headDimension: nil))
        try settings.addEpsilon("layer_norm_eps")
        try settings.addRotary(canTurnPart: true)
        settings["use_parallel_residual"] = .bool(!settings.has("blk.0.ffn_norm.weight"))
        settings["use_qkv_bias"] = .bool(settings.hasProjectionBias)
        settings["qk_layernorm"] = .bool(settings.has("blk.0.attn_q_norm.weight"))
    }
}

enum GGUFStarCoder2: GGUFArchitecture {
    static let name = "starcoder2"
    static let modelTypes = ["starcoder2"]
    static let className = "Starcoder2ForCausalLM"
    static let keys: [KnownKey] = [GGUFKeys.window]

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        .llama(["ffn_gate": "", "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"])
    }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes()
        try settings.addEpsilon("norm_epsilon")
        try settings.addRotary()
        try settings.addWindow()
        settings["use_bias"] = .bool(settings.hasProjectionBias)
    }
}

/// Pairs are neighbours here as they are in Hugging Face's.
enum GGUFCommandR: GGUFArchitecture {
    static let name = "command-r"
    static let modelTypes = ["cohere"]
    static let className = "CohereForCausalLM"
    static let keys: [KnownKey] = [
        .read("{arch}.logit_scale", "factor on logits; 0 is none")
    ]

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames { .llama(["ffn_norm": ""]) }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes()
        try settings.addEpsilon("layer_norm_eps")
        try settings.addRotary()
        settings["attention_bias"] = .bool(settings.hasProjectionBias)
        settings["use_qk_norm"] = .bool(settings.has("blk.0.attn_q_norm.weight"))
        settings["logit_scale"] = try settings.factor("logit_scale") ?? .number(1)
    }
}
