internal import StrictJSON

enum GGUFPhi2: GGUFArchitecture {
    static let name = "phi2"
    static let modelTypes = ["phi"]
    static let className = "PhiForCausalLM"

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        var names = GGUFTensorNames.llama([
            "ffn_norm": "", "ffn_gate": "", "attn_output": "self_attn.dense", "ffn_up": "mlp.fc1",
            "ffn_down": "mlp.fc2",
        ])
        names.outer["output_norm"] = "model.final_layernorm"
        return names
    }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes(.init(headDimension: nil))
        try settings.addEpsilon("layer_norm_eps")
        try settings.addRotary(canTurnPart: true)
    }
}

/// Windows are those of transformers; llama.cpp leaves them off.
enum GGUFPhi3: GGUFArchitecture {
    static let name = "phi3"
    static let modelTypes = ["phi3"]
    static let className = "Phi3ForCausalLM"
    static let keys: [KnownKey] = [GGUFKeys.window]

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        .llama([
            "attn_q": "", "attn_k": "", "attn_v": "", "ffn_gate": "",
            "attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj",
        ])
    }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes()
        try settings.addRMSEpsilon()
        try settings.addRotary(canTurnPart: true)
        try settings.addWindow()
    }
}
