internal import StrictJSON

enum GGUFGemma: GGUFArchitecture {
    static let name = "gemma"
    static let modelTypes = ["gemma"]
    static let className = "GemmaForCausalLM"
    static let layout = wholeGains

    /// The converter adds the 1 that Gemma's norms add to their gains.
    static let wholeGains = StoredLayout.gguf { $0.gainsAreWhole = true }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try fillAll(&settings)
        try settings.addRotary()
    }

    static func fillAll(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try settings.addSizes()
        try settings.addRMSEpsilon()
        // transformers has a number of its own where it is absent.
        settings["head_dim"] = .integer(Int64(try settings.headDimension()))
        settings["attention_bias"] = .bool(settings.hasProjectionBias)
    }

    /// Names of tensors from the second generation on.
    static let sandwich: [String: String] = [
        "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
    ]

    /// Scores are divided by the root of a head's size; in the largest model of a generation, by
    /// that of the hidden size by query heads.
    ///
    /// - Parameter layerCount: of the largest model.
    static func addScale(
        _ settings: inout GGUFSettings, largest layerCount: Int
    ) throws(CheckpointError) {
        var scalar = try settings.headDimension()
        if try settings.count("block_count") == layerCount,
            let size = try settings.count("embedding_length"),
            let headCount = try settings.count("attention.head_count"), headCount > 0
        {
            scalar = size / headCount
        }
        settings["query_pre_attn_scalar"] = .integer(Int64(scalar))
    }

    /// 0 is none.
    static func cap(
        _ settings: GGUFSettings, _ key: String, default fallback: Double
    ) throws(CheckpointError) -> JSONValue {
        let cap = try settings.number(key) ?? fallback
        return cap == 0 ? .null : .number(cap)
    }
}

enum GGUFGemma2: GGUFArchitecture {
    static let name = "gemma2"
    static let modelTypes = ["gemma2"]
    static let className = "Gemma2ForCausalLM"
    static let layout = GGUFGemma.wholeGains
    static let keys: [KnownKey] = [
        .read("{arch}.attention.sliding_window", "tokens that layers see; 4,096 where absent"),
        .read(
            "{arch}.attention.sliding_window_pattern",
            "all layers but every n-th have the window, or a list of those that have it; 2"),
        .read("{arch}.attn_logit_softcapping", "the cap of scores; 50 where absent, 0 is none"),
        .read("{arch}.final_logit_softcapping", "the cap of logits; 30 where absent, 0 is none"),
    ]

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        .llama(GGUFGemma.sandwich)
    }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try GGUFGemma.fillAll(&settings)
        try settings.addRotary()
        try GGUFGemma.addScale(&settings, largest: 46)
        let isStated = try settings.count("attention.sliding_window") != nil
        if isStated {
            try settings.addWindow()
        } else {
            settings["sliding_window"] = .integer(4096)
        }
        settings["layer_types"] = GGUFSettings.layerTypes(
            try settings.windowedLayers(pattern: 2))
        settings["attn_logit_softcapping"] = try GGUFGemma.cap(
            settings, "attn_logit_softcapping", default: 50)
        settings["final_logit_softcapping"] = try GGUFGemma.cap(
            settings, "final_logit_softcapping", default: 30)
    }
}

enum GGUFGemma3: GGUFArchitecture {
    static let name = "gemma3"
    static let modelTypes = ["gemma3_text"]
    static let className = "Gemma3ForCausalLM"
    static let layout = GGUFGemma.wholeGains
    static let keys: [KnownKey] = [
        .read("{arch}.attention.sliding_window", "tokens that layers see; all where absent"),
        .read(
            "{arch}.attention.sliding_window_pattern",
            "all layers but every n-th have the window, or a list of those that have it; 6"),
        .read("{arch}.rope.freq_base_swa", "theta of layers with a window; 10,000 where absent"),
        .read("{arch}.final_logit_softcapping", "the cap of logits; none where absent"),
    ]

    static func tensorNames(_ has: (String) -> Bool) -> GGUFTensorNames {
        .llama(
            GGUFGemma.sandwich.merging([
                "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
            ]) { $1 })
    }

    static func fill(_ settings: inout GGUFSettings) throws(CheckpointError) {
        try GGUFGemma.fillAll(&settings)
        try settings.addRotary()
        try GGUFGemma.addScale(&settings, largest: 62)
        settings["rope_local_base_freq"] = .number(
            try settings.number("rope.freq_base_swa") ?? 10_000)
        try settings.addWindow()
        let windowed = try settings.windowedLayers(pattern: 6)
        let hasWindow = try settings.window() != nil
        settings["layer_types"] = GGUFSettings.layerTypes(windowed.map { $0 && hasWindow })
        settings["final_logit_softcapping"] = try GGUFGemma.cap(
            settings, "final_logit_softcapping", default: 0)
    }
}
