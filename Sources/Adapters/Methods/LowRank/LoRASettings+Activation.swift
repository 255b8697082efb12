internal import StrictJSON
internal import Transformer

/// Activated LoRA: low-rank factors that act from the first of the invocation tokens on.
///
///     "alora_invocation_tokens": [id, …]
///
/// **Source**: arXiv 2504.12397; PEFT 0.21, where an empty list means plain LoRA.
extension LoRASettings {
    private static let activationSetting = "alora_invocation_tokens"
    private static let invocationCountLimit = 1024

    /// The invocation tokens; nil for plain LoRA.
    ///
    /// What PEFT doesn't hold back until the invocation, or changes the base's weights for, is
    /// refused beside them; what it trains whole acts on every token.
    static func invocation(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> [Int]? {
        guard let value = configuration.value(activationSetting) else { return nil }
        let tokens = try tokens(value, configuration)
        guard !tokens.isEmpty else { return nil }
        if let reason = try conflict(&configuration) {
            throw .unsupportedSetting(
                activationSetting, value: value.excerpt, reason: reason, file: configuration.file)
        }
        return tokens
    }

    private static func tokens(
        _ value: JSONValue, _ configuration: AdapterConfiguration
    ) throws(AdapterError) -> [Int] {
        let expected = "a list of at most \(invocationCountLimit) token ids"
        guard let items = value.arrayValue, items.count <= invocationCountLimit else {
            throw configuration.invalid(activationSetting, value, expected: expected)
        }
        var tokens: [Int] = []
        for item in items {
            guard let token = item.intValue, token >= 0 else {
                throw configuration.invalid(activationSetting, value, expected: expected)
            }
            tokens.append(token)
        }
        return tokens
    }

    private static func conflict(
        _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> String? {
        for name in variants {
            guard let value = configuration.value(name), !value.isUnset else { continue }
            return "PEFT has no invocation together with '\(name)'"
        }
        guard let method = configuration.value("init_lora_weights")?.stringValue,
            !["gaussian", "eva", "orthogonal"].contains(method.lowercased())
        else { return nil }
        return "'init_lora_weights' is \(method), which changes the base's weights for every token"
    }

    private static let variants = [
        "use_dora", "use_bdlora", "arrow_config", "kasa_config", "velora_config",
        "monteclora_config",
    ]

    /// Where an adapter begins to act; nil: at the first token.
    ///
    /// - Parameter operators: what it does.
    /// - Throws: `AdapterError.invalidSetting`, `.unsupportedSetting`.
    func activation(
        of operators: AdapterOperators, vocabularyCount: Int, file: String
    ) throws(AdapterError) -> ActivationTokens? {
        guard let invocation else { return nil }
        if let token = invocation.first(where: { $0 >= vocabularyCount }) {
            throw .invalidSetting(
                Self.activationSetting, value: "\(invocation)",
                expected:
                    "ids below \(vocabularyCount), the base's vocabulary: \(token) can't occur "
                    + "in a prompt", file: file)
        }
        guard operators.embedding.count == operators.earlier.embedding.count else {
            throw .unsupportedSetting(
                Self.activationSetting, value: "\(invocation)",
                reason: "PEFT has it for linear layers only, and the embedding is changed too",
                file: file)
        }
        return ActivationTokens(invocation.map { Int32($0) })
    }
}
