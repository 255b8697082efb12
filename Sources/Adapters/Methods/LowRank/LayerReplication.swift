internal import StrictJSON
internal import Transformer

/// A model made of ranges of the base's layers, one after the other; layers in several of them are
/// there several times, with the same weights, and keys, values and changes of their own.
///
///     "layer_replication": [[first, end], …]
///
/// **Source**: PEFT 0.21; the adapter's tensors and targets are numbered by the new layers.
enum LayerReplication {
    private static let setting = "layer_replication"
    private static let layerCountLimit = 1 << 12

    /// The base with the layers that the configuration says; nil: the base itself.
    ///
    /// - Throws: `AdapterError.invalidSetting`, `.unsupportedSetting`.
    static func base(
        _ configuration: inout AdapterConfiguration, of base: BaseModel
    ) throws(AdapterError) -> BaseModel? {
        guard let value = configuration.value(setting), !value.isUnset else { return nil }
        guard base.configuration.hasRepeatableLayers else {
            throw .unsupportedSetting(
                setting, value: value.excerpt,
                reason: "neither PEFT nor transformers repeats layers of a base of type "
                    + "'\(base.configuration.modelType)'", file: configuration.file)
        }
        let layerCount = base.slots.layerCount
        var order: [Int] = []
        for item in value.arrayValue ?? [] {
            let ends = item.arrayValue?.compactMap(\.intValue) ?? []
            guard ends.count == 2, 0 <= ends[0], ends[0] <= ends[1], ends[1] <= layerCount,
                order.count + ends[1] - ends[0] <= layerCountLimit
            else { throw invalid(value, configuration, layerCount) }
            order += ends[0]..<ends[1]
        }
        guard !order.isEmpty else { throw invalid(value, configuration, layerCount) }
        return base.repeating(order)
    }

    private static func invalid(
        _ value: JSONValue, _ configuration: AdapterConfiguration, _ layerCount: Int
    ) -> AdapterError {
        configuration.invalid(
            setting, value,
            expected: "ranges [first, end] within the base's \(layerCount) layers, of at most "
                + "\(layerCountLimit) layers together")
    }
}
