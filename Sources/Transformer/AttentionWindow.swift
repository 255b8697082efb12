internal import StrictJSON

/// The tokens over which the layers of a model attend, where some don't attend to all.
///
/// Within its window, attention over a sliding window is full attention; so a context that never
/// outgrows the window is answered exactly.
///
/// **Source**: `MistralConfig`, `Qwen2Config` and `LlamaConfig` of transformers 5, with their
/// defaults.
struct AttentionWindow {
    /// Nil where every layer attends to all tokens.
    let size: Int?

    private static let defaultSize = 4096
    private static let defaultFirstLayer = 28

    init(
        _ reader: SettingReader, _ family: ModelFamily, layerCount: Int
    ) throws(TransformerError) {
        switch family {
        case .llama:
            // Llama has no window, whatever its file says.
            size = nil
        case .mistral:
            size = try Self.stated(reader)
        case .qwen2:
            let isOn = try reader.flag("use_sliding_window", default: false)
            let stated = isOn ? try Self.stated(reader) : nil
            size = try Self.windowsSomeLayer(reader, stated, layerCount) ? stated : nil
        }
    }

    /// `sliding_window`: null is none, and where it is absent there is the default.
    private static func stated(_ reader: SettingReader) throws(TransformerError) -> Int? {
        guard reader.object["sliding_window"] != nil else { return defaultSize }
        return try reader.optionalCount("sliding_window", limit: 1 << 30)
    }

    /// Qwen2 names the layers one by one, or the first that has the window.
    private static func windowsSomeLayer(
        _ reader: SettingReader, _ window: Int?, _ layerCount: Int
    ) throws(TransformerError) -> Bool {
        guard let value = reader.present("layer_types") else {
            return try firstLayer(reader) < layerCount
        }
        let names = value.arrayValue?.map(\.stringValue) ?? []
        guard names.count == layerCount, !names.contains(nil) else {
            throw reader.invalid(
                "layer_types", reader.describe(value), expected: "a list of \(layerCount) names")
        }
        for case let name? in names where !["full_attention", "attention"].contains(name) {
            guard name == "sliding_attention" else {
                throw reader.unsupported(
                    "layer_types", name, supported: "full_attention and sliding_attention")
            }
            guard window != nil else {
                throw reader.invalid(
                    "layer_types", name,
                    expected: "full_attention, as use_sliding_window or sliding_window is off")
            }
        }
        return names.contains("sliding_attention")
    }

    private static func firstLayer(_ reader: SettingReader) throws(TransformerError) -> Int {
        guard let value = reader.present("max_window_layers") else { return defaultFirstLayer }
        guard let number = value.intValue, number >= 0 else {
            throw reader.invalid(
                "max_window_layers", reader.describe(value), expected: "a whole number from 0 on")
        }
        return number
    }
}
