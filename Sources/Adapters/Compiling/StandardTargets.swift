/// Which modules PEFT means where a configuration names none: by method and type of model.
///
/// **Source**: the tables `TRANSFORMERS_MODELS_TO_…_TARGET_MODULES_MAPPING` of PEFT 0.21.
enum StandardTargets {
    /// Of LoRA, where the base isn't known: those of any model, of which a file has its own.
    static var ofProducts: [String] { Set(products.values.joined()).sorted() }

    private typealias Table = [String: [String]]

    private static let queryValue = ["q_proj", "v_proj"]
    private static let fused = ["query_key_value"]

    /// Of LoRA and most other methods.
    private static let products: Table = [
        "llama": queryValue, "mistral": queryValue, "mixtral": queryValue, "qwen2": queryValue,
        "qwen3": queryValue, "gemma": queryValue, "gemma2": queryValue, "gemma3_text": queryValue,
        "stablelm": queryValue, "phi": queryValue + ["fc1", "fc2"], "gpt2": ["c_attn"],
        "gpt_neox": fused, "falcon": fused, "RefinedWeb": fused, "RefinedWebModel": fused,
        "bloom": fused, "chatglm": fused,
    ]

    private static let infused: Table = [
        "llama": ["k_proj", "v_proj", "down_proj"], "mistral": ["k_proj", "v_proj", "down_proj"],
        "mixtral": ["k_proj", "v_proj", "w2"], "qwen2": queryValue + ["down_proj"],
        "qwen3": queryValue + ["down_proj"], "gemma": queryValue + ["down_proj"],
        "gemma2": queryValue + ["down_proj"], "gemma3_text": queryValue + ["down_proj"],
        "phi": queryValue + ["fc2"], "gpt2": ["c_attn", "mlp.c_proj"],
        "gpt_neox": fused + ["dense_4h_to_h"], "falcon": fused + ["dense_4h_to_h"],
        "RefinedWeb": fused + ["dense_4h_to_h"], "RefinedWebModel": fused + ["dense_4h_to_h"],
        "bloom": fused + ["mlp.dense_4h_to_h"],
    ]

    private static let feedForward: Table = [
        "llama": ["down_proj"], "mistral": ["down_proj"], "mixtral": ["w2"],
        "qwen2": ["down_proj"], "qwen3": ["down_proj"], "gemma": ["down_proj"],
        "gemma2": ["down_proj"], "gemma3_text": ["down_proj"], "phi": ["fc2"],
        "gpt2": ["mlp.c_proj"], "gpt_neox": ["dense_4h_to_h"], "falcon": ["dense_4h_to_h"],
        "RefinedWeb": ["dense_4h_to_h"], "RefinedWebModel": ["dense_4h_to_h"],
        "bloom": ["mlp.dense_4h_to_h"],
    ]

    private static let twoNorms = ["input_layernorm", "post_attention_layernorm"]
    private static let fourNorms =
        twoNorms + ["pre_feedforward_layernorm", "post_feedforward_layernorm", "norm"]

    private static let norms: Table = [
        "llama": twoNorms + ["norm"], "mistral": twoNorms + ["norm"],
        "qwen2": ["post_attention_layernorm"], "qwen3": ["post_attention_layernorm"],
        "gemma": twoNorms + ["norm"], "gemma2": fourNorms, "gemma3_text": fourNorms,
        "phi": ["input_layernorm", "final_layernorm"], "gpt2": ["ln_1", "ln_2", "ln_f"],
        "falcon": twoNorms + ["ln_f"], "bloom": twoNorms + ["ln_f"],
    ]

    private static let everyProjection = [
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    ]

    private static let continual: Table = [
        "llama": everyProjection, "mistral": everyProjection, "mixtral": everyProjection,
        "qwen2": everyProjection, "qwen3": everyProjection, "gemma": everyProjection,
        "gemma2": everyProjection, "gemma3_text": everyProjection, "phi": everyProjection,
        "gpt2": ["c_attn", "c_proj"], "gpt_neox": fused + ["dense_4h_to_h"],
        "falcon": fused + ["dense_4h_to_h"], "bloom": fused + ["dense_4h_to_h"],
    ]

    /// Models that the tables of BEFT, and of AdaLoRA and VB-LoRA, have no row for.
    private static let withoutValueBias: Set<String> = [
        "stablelm", "gpt2", "gpt_neox", "falcon", "RefinedWeb", "RefinedWebModel", "bloom",
        "chatglm",
    ]
    private static let withoutRankTable: Set<String> = [
        "mistral", "mixtral", "phi", "stablelm", "falcon", "RefinedWeb", "RefinedWebModel",
        "chatglm",
    ]
    /// Methods that take no modules, or have no table.
    private static let without: Set<String> = ["SHADOW", "TRAINABLE_TOKENS", "XLORA"]

    /// - Parameter modelType: of the base, as its configuration has it.
    /// - Returns: nil where PEFT asks for the setting.
    static func modules(of method: String, modelType: String) -> [String]? {
        guard !without.contains(method) else { return nil }
        switch method {
        case "IA3": return infused[modelType]
        case "LN_TUNING": return norms[modelType]
        case "OSF": return continual[modelType]
        case "BEFT":
            guard !withoutValueBias.contains(modelType) else { return nil }
            return products[modelType] == nil ? nil : ["v_proj"]
        case "ADALORA", "VBLORA":
            return withoutRankTable.contains(modelType) ? nil : products[modelType]
        case "C3A", "FOURIERFT", "WAVEFT":
            return modelType == "gpt2" ? ["mlp.c_proj"] : products[modelType]
        case "SHIRA", "VERA", "PVERA", "FROD":
            return modelType == "phi" ? queryValue : products[modelType]
        default: return products[modelType]
        }
    }

    /// What a configuration of (IA)³ means with `feedforward_modules`.
    ///
    /// - Returns: nil where PEFT asks for the setting.
    static func feedForwardModules(modelType: String) -> [String]? { feedForward[modelType] }
}
