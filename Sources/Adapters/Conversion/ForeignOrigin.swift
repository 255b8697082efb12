internal import Checkpoints
internal import StrictJSON
internal import Transformer

/// What an adapter of another format says of itself beside tensors and settings: for which base it
/// was made, and what nobody here knows.
struct ForeignOrigin: Sendable {
    /// One thing that a file says of its base.
    struct Claim: Sendable {
        /// The setting or key.
        let name: String
        let meaning: Meaning
    }

    enum Meaning: Sendable {
        /// llama.cpp's name of the architecture, which its loader compares with the base's.
        case architecture(String)
        /// Hugging Face's name of the architecture, which the format's own loader doesn't look at.
        case modelType(String)
        case measure(Measure, Int)
    }

    /// Sizes of a base.
    enum Measure: Sendable {
        case layerCount, hiddenSize, intermediateSize, queryHeadCount, keyValueHeadCount
        case headDimension

        func value(of base: DecoderSpec) -> Int {
            switch self {
            case .layerCount: base.layerCount
            case .hiddenSize: base.hiddenSize
            case .intermediateSize: base.intermediateSize
            case .queryHeadCount: base.queryHeadCount
            case .keyValueHeadCount: base.keyValueHeadCount
            case .headDimension: base.headDimension
            }
        }
    }

    /// Where that stands.
    var file = ""
    var claims: [Claim] = []
    /// Settings that `SettingTable` doesn't list, with their values as messages show them.
    var unknown: [(name: String, value: String)] = []
    /// What the user should know; each is one sentence that begins with the file.
    var warnings: [String] = []

    /// Every name and its value in an object, as far as the table knows neither.
    mutating func addUnknown(
        in object: JSONObject, of table: SettingTable
    ) {
        for (name, value) in object where table.use(of: name) == nil && !value.isUnset {
            unknown.append((CheckpointError.shown(name), value.excerpt))
        }
    }

    /// What is to be said of an adapter that is attached to a base.
    ///
    /// - Parameter strict: a setting that isn't known refuses the adapter.
    /// - Throws: `AdapterError.invalidSetting` where the adapter says that it is another base's,
    ///   `.unknownSetting`.
    func warnings(
        on base: DecoderSpec, strict: Bool
    ) throws(AdapterError) -> [String] {
        var warnings = warnings
        for claim in claims {
            if let warning = try check(claim, on: base) { warnings.append(warning) }
        }
        if strict, let first = unknown.first {
            throw .unknownSetting(first.name, value: first.value, file: file)
        }
        return warnings + unknownWarnings
    }

    /// One sentence for all that isn't known.
    var unknownWarnings: [String] {
        guard !unknown.isEmpty else { return [] }
        let shown = unknown.prefix(5).map { "'\($0.name)' is \($0.value)" }
        let rest = unknown.count > 5 ? " and \(unknown.count - 5) more" : ""
        return [
            "\(file): unknown and ignored: " + shown.joined(separator: ", ") + rest
        ]
    }

    private func check(
        _ claim: Claim, on base: DecoderSpec
    ) throws(AdapterError) -> String? {
        switch claim.meaning {
        case .architecture(let found):
            let expected = GGUFLoRA.architecture(of: base)
            guard found != expected else { return nil }
            throw .invalidSetting(
                claim.name, value: "\"\(found)\"",
                expected: "\"\(expected)\", the base's: it was made for another base", file: file)
        case .modelType(let found):
            guard GGUFLoRA.family(found) != GGUFLoRA.family(base.modelType) else { return nil }
            return
                "\(file): '\(claim.name)' is \"\(found)\", and the base is a \(base.modelType): was "
                + "it trained on another base?"
        case .measure(let measure, let found):
            let expected = measure.value(of: base)
            guard found != expected else { return nil }
            throw .invalidSetting(
                claim.name, value: String(found),
                expected: "\(expected), the base's: it was trained on another base", file: file)
        }
    }
}
