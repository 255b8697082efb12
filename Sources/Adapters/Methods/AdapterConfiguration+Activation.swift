internal import StrictJSON
internal import Transformer

extension AdapterConfiguration {
    /// The activation function that a setting names.
    ///
    /// - Parameter standard: where absent or null; nil: it must be there.
    /// - Throws: `AdapterError.missingSetting`, `.unsupportedSetting`.
    mutating func activation(
        _ setting: String, standard: String? = nil
    ) throws(AdapterError) -> ActivationFunction {
        guard let name = try text(setting) ?? standard else {
            throw .missingSetting(setting, file: file)
        }
        guard let function = ActivationFunction(name.lowercased()) else {
            throw .unsupportedSetting(
                setting, value: "\"\(name)\"",
                reason: "supported are " + ActivationFunction.names.joined(separator: ", "),
                file: file)
        }
        return function
    }
}
