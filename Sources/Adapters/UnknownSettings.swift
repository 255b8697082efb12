internal import StrictJSON

/// What happens to settings that no reader asked for.
///
/// PEFT's releases keep adding settings, mostly with harmless defaults. One that concerns training
/// only, or that is null, false or empty, is ignored; any other is a warning that names it, or a
/// refusal when adapters are read strictly.
enum UnknownSettings {
    /// Settings of every method that say where an adapter comes from, or how it was trained.
    private static let alwaysIgnored: Set<String> = [
        "auto_mapping", "base_model_name_or_path", "inference_mode", "peft_type", "peft_version",
        "revision", "runtime_config", "task_type",
    ]

    /// - Parameter trainingOnly: settings of the method without a meaning in inference.
    /// - Returns: a warning for each setting that isn't known, behind those of the reading; of
    ///   many, the last counts them.
    /// - Throws: `AdapterError.unknownSetting` when `strict`.
    static func check(
        _ configuration: AdapterConfiguration, trainingOnly: Set<String>, strict: Bool
    ) throws(AdapterError) -> [String] {
        var warnings = configuration.warnings
        var furtherCount = 0
        for (name, value) in configuration.object {
            if configuration.readNames.contains(name) || alwaysIgnored.contains(name)
                || trainingOnly.contains(name) || value.isUnset
            {
                continue
            }
            guard !strict else {
                throw .unknownSetting(name, value: value.excerpt, file: configuration.file)
            }
            guard warnings.count < AdapterLimits.namedUnknownSettingCount else {
                furtherCount += 1
                continue
            }
            warnings.append(
                "\(configuration.file): unknown setting '\(name)' is \(value.excerpt) and was ignored"
            )
        }
        if furtherCount > 0 {
            warnings.append(
                "\(configuration.file): \(furtherCount) more settings are unknown and were ignored")
        }
        return warnings
    }

    /// Refuses settings that Graft knows and doesn't support, wherever they are set.
    ///
    /// - Throws: `AdapterError.unsupportedSetting` with the reason given.
    static func refuse(
        _ unsupported: [(name: String, reason: String)],
        in configuration: inout AdapterConfiguration
    ) throws(AdapterError) {
        for (name, reason) in unsupported {
            guard let value = configuration.value(name), !value.isUnset else { continue }
            throw .unsupportedSetting(
                name, value: value.excerpt, reason: reason, file: configuration.file)
        }
    }
}
