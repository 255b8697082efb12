/// Which modules PEFT means where a configuration names none: by method and type of model.
///
/// **Source**: the tables `TRANSFORMERS_MODELS_TO_…_TARGET_MODULES_MAPPING` of PEFT 0.21.
enum StandardTargets {
    /// What a configuration of (IA)³ means with `feedforward_modules`.
    static let feedForwardModules = ["down_proj"]

    /// Of LoRA and most other methods, whatever the base.
    static let ofProducts = ["q_proj", "v_proj"]

    private static let models: Set<String> = ["llama", "mistral", "qwen2"]
    /// Methods that take no modules, or have no table.
    private static let without: Set<String> = ["SHADOW", "TRAINABLE_TOKENS", "XLORA"]

    /// - Parameter modelType: of the base, as its configuration has it.
    /// - Returns: nil where PEFT asks for the setting.
    static func modules(of method: String, modelType: String) -> [String]? {
        guard models.contains(modelType), !without.contains(method) else { return nil }
        let isQwen = modelType == "qwen2"
        switch method {
        case "IA3": return [isQwen ? "q_proj" : "k_proj", "v_proj", "down_proj"]
        case "BEFT": return ["v_proj"]
        case "LN_TUNING":
            return isQwen
                ? ["post_attention_layernorm"]
                : ["input_layernorm", "post_attention_layernorm", "norm"]
        case "OSF":
            return [
                "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
            ]
        // They have no row for Mistral.
        case "ADALORA", "VBLORA": return modelType == "mistral" ? nil : ofProducts
        default: return ofProducts
        }
    }
}
