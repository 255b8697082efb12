internal import StrictJSON

/// Llama, SmolLM, and Mistral, which is the same with a window.
enum GGUFLlama: GGUFArchitecture {
    static let name = "llama"
    static let modelTypes = ["llama", "mistral"]
    static let className = "LlamaForCausalLM"
    static let layout = rotatingNeighbours
    static let keys: [KnownKey] = [GGUFKeys.window]

    /// llama.cpp turns neighbouring pairs where Hugging Face turns halves, so its converter
    /// reorders the rows of Q and K.
    static let rotatingNeighbours = StoredLayout.gguf { $0.queryKeyRowsArePermuted = true }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try fillAll(&settings)
        settings["attention_bias"] = .bool(settings.hasProjectionBias)
        settings["mlp_bias"] = .bool(settings.has("blk.0.ffn_gate.bias"))
        guard let window = try settings.window() else { return }
        guard !settings.hasProjectionBias, !settings.has("blk.0.ffn_gate.bias") else {
            throw settings.malformed(
                "key '\(settings.full("attention.sliding_window"))' is \(window), and a window "
                    + "beside biases isn't served")
        }
        settings["architectures"] = .array([.string("MistralForCausalLM")])
        settings["model_type"] = .string("mistral")
        settings["sliding_window"] = .integer(Int64(window))
    }

    /// What Llama's followers have too.
    static func fillAll(_ settings: inout GGUFSettings) throws(CheckpointError) {
        settings["hidden_act"] = .string("silu")
        try settings.addSizes()
        try settings.addRMSEpsilon()
        try settings.addRotary()
    }
}

/// Some layers have no positions; their rows are reordered all the same.
enum GGUFSmolLM3: GGUFArchitecture {
    static let name = "smollm3"
    static let modelTypes = ["smollm3"]
    static let className = "SmolLM3ForCausalLM"
    static let layout = GGUFLlama.rotatingNeighbours

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try GGUFLlama.fillAll(&settings)
        settings["attention_bias"] = .bool(settings.hasProjectionBias)
        settings["mlp_bias"] = .bool(settings.has("blk.0.ffn_gate.bias"))
        // llama.cpp has this number, and files don't say it.
        settings["no_rope_layer_interval"] = .integer(4)
        settings["use_sliding_window"] = .bool(false)
    }
}

enum GGUFGranite: GGUFArchitecture {
    static let name = "granite"
    static let modelTypes = ["granite"]
    static let className = "GraniteForCausalLM"
    static let layout = GGUFLlama.rotatingNeighbours
    static let keys: [KnownKey] = [
        .read("{arch}.attention.scale", "factor on scores; 0 is that of the head's size"),
        .read("{arch}.embedding_scale", "factor on the embedding's rows; 0 is none"),
        .read("{arch}.residual_scale", "factor on what a part of a layer adds; 0 is none"),
        .read("{arch}.logit_scale", "divides logits; 0 is none"),
        .refused(
            "{arch}.rope.scaling.finetuned", unless: [.bool(true)],
            "layers without positions aren't served with this architecture"),
    ]

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try GGUFLlama.fillAll(&settings)
        settings["attention_bias"] = .bool(settings.hasProjectionBias)
        settings["mlp_bias"] = .bool(settings.has("blk.0.ffn_gate.bias"))
        let dimension = try settings.headDimension()
        settings["attention_multiplier"] =
            try settings.factor("attention.scale")
            ?? .number(1 / Double(max(1, dimension)).squareRoot())
        settings["embedding_multiplier"] = try settings.factor("embedding_scale")
        settings["residual_multiplier"] = try settings.factor("residual_scale")
        settings["logits_scaling"] = try settings.factor("logit_scale")
    }
}

/// Norms behind the parts of a layer. With a window it is another model under the same name.
enum GGUFOLMo2: GGUFArchitecture {
    static let name = "olmo2"
    static let modelTypes = ["olmo2"]
    static let className = "Olmo2ForCausalLM"

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        .llama([
            "attn_norm": "", "ffn_norm": "", "attn_q_norm": "self_attn.q_norm",
            "attn_k_norm": "self_attn.k_norm", "post_attention_norm": "post_attention_layernorm",
            "post_ffw_norm": "post_feedforward_layernorm",
        ])
    }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try GGUFLlama.fillAll(&settings)
        settings["attention_bias"] = .bool(settings.hasProjectionBias)
    }
}
