internal import StrictJSON
internal import Transformer

/// Several adapters that were trained together and lie in one file, each of a method of its own:
/// AdapterHub's unions, such as MAM, a prefix with bottlenecks beside the feed-forward layers.
///
///     "parts": [{…}, {…}]                 their configurations
///     parts.<n>.<name of the tensor>      their tensors
///
/// **Source**: arXiv 2110.04366; adapters 1.3.0, `ConfigUnion`.
enum AdapterUnion {
    /// What stands for PEFT's name of the method.
    static let type = "ADAPTERHUB_UNION"
    private static let setting = "parts"

    static func joining(_ parts: [PEFTAdapter]) -> PEFTAdapter {
        PEFTAdapter(
            configuration: [
                "peft_type": .string(type),
                setting: .array(parts.map { .object($0.configuration) }),
            ],
            tensors: parts.enumerated().flatMap { index, part in
                part.tensors.map { $0.renamed(prefix(index) + $0.name) }
            })
    }

    private static func prefix(_ index: Int) -> String { "\(setting).\(index)." }

    static func read(
        _ file: AdapterFile, in context: Methods.Context
    ) throws(AdapterError) -> CompiledAdapter {
        var configuration = file.configuration
        let parts = try parts(of: file, &configuration)
        var warnings = try UnknownSettings.check(
            configuration, trainingOnly: [], strict: context.options.strict)
        var operators = AdapterOperators()
        var parameterCount = 0
        for part in parts {
            guard part.peftType != type else {
                throw .unsupportedSetting(
                    setting, value: "a union", reason: "unions can't be parts of others",
                    file: configuration.file)
            }
            let reader = try Methods.reader(of: part.peftType, file: configuration.file)
            let compiled = try reader(part, context)
            if let place = operators.join(compiled.operators) {
                throw .unsupportedSetting(
                    setting, value: "\"\(part.peftType)\"",
                    reason: "\(place) is another part's already", file: configuration.file)
            }
            parameterCount += compiled.parameterCount
            warnings += compiled.warnings
        }
        return CompiledAdapter(
            operators: operators, parameterCount: parameterCount, warnings: warnings,
            targets: TargetSummary.text(operators, slots: context.base.slots))
    }

    private static func parts(
        of file: AdapterFile, _ configuration: inout AdapterConfiguration
    ) throws(AdapterError) -> [AdapterFile] {
        _ = configuration.value("peft_type")
        guard let settings = configuration.value(setting)?.arrayValue else {
            throw .missingSetting(setting, file: configuration.file)
        }
        var tensors = file.tensors
        var parts: [AdapterFile] = []
        for (index, value) in settings.enumerated() {
            guard let object = value.objectValue else {
                throw configuration.invalid(setting, value, expected: "an array of objects")
            }
            let prefix = prefix(index)
            let own = tensors.filter { $0.name.hasPrefix(prefix) }
            tensors.removeAll { $0.name.hasPrefix(prefix) }
            parts.append(
                try AdapterFile(
                    PEFTAdapter(
                        configuration: object,
                        tensors: own.map { $0.renamed(String($0.name.dropFirst(prefix.count))) }),
                    file: file.tensorFile, configurationFile: configuration.file, extent: .header))
        }
        if let stray = tensors.first {
            throw .unknownTensor(
                stray.name, reason: "it belongs to none of the \(parts.count) parts",
                file: file.tensorFile)
        }
        return parts
    }
}

extension AdapterOperators {
    /// Takes those of another adapter, which act in places of their own.
    ///
    /// - Returns: a place that both would change; nil where there is none.
    fileprivate mutating func join(_ other: AdapterOperators) -> String? {
        for (slot, changes) in other.linear
        where linear.updateValue(changes, forKey: slot) != nil {
            return "a linear layer"
        }
        for (slot, norm) in other.norms where norms.updateValue(norm, forKey: slot) != nil {
            return "a norm"
        }
        for (slot, bias) in other.normBiases
        where normBiases.updateValue(bias, forKey: slot) != nil {
            return "a norm"
        }
        if !other.embedding.isEmpty {
            if !embedding.isEmpty { return "the embedding" }
            embedding = other.embedding
        }
        for (slot, bottleneck) in other.bottlenecks
        where bottlenecks.updateValue(bottleneck, forKey: slot) != nil {
            return "the place of a bottleneck in layer \(slot.layer)"
        }
        if let prefix = other.prefix {
            if self.prefix != nil { return "the prefix" }
            self.prefix = prefix
        }
        if let vocabulary = other.vocabulary {
            if self.vocabulary != nil { return "the vocabulary" }
            self.vocabulary = vocabulary
        }
        let isMore =
            !other.gatedPrefixes.isEmpty || other.activation != nil || other.companion != nil
            || !other.stateLayers.isEmpty || other.repeatedBase != nil
        return isMore ? "more than layers, norms, bottlenecks and prefixes" : nil
    }
}
