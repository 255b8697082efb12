internal import Checkpoints
internal import StrictJSON

/// Llama's block with biases on queries, keys and values, and a window in some layers.
///
/// **Source**: arXiv 2407.10671; `Qwen2Config` of transformers 5.
enum Qwen2: Architecture {
    static let modelTypes = ["qwen2"]
    static let keys: [KnownKey] = []

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 32_768, keyValueHeadCount: 32)
        let attention = settings.attention(hasBias: true, rotary: try settings.rotary())
        let windows = try windows(settings)
        return try Llama.decoder(
            settings,
            attention: { layer in
                var own = attention
                own.window = windows[layer]
                return own
            })
    }

    /// The window of each layer: `layer_types` names them one by one, `max_window_layers` the first
    /// that has it.
    static func windows(_ settings: DecoderSettings) throws(TransformerError) -> [Int?] {
        let reader = settings.reader
        let isOn = try reader.flag("use_sliding_window", default: false)
        let window = isOn ? try Mistral.window(reader) : nil
        let first = try firstWindowedLayer(reader)
        let windowed =
            try settings.windowedLayers() ?? (0..<settings.layerCount).map { $0 >= first }
        if window == nil, reader.present("layer_types") != nil, windowed.contains(true) {
            throw reader.invalid(
                "layer_types", "sliding_attention",
                expected: "full_attention, as use_sliding_window or sliding_window is off")
        }
        return windowed.map { $0 ? window : nil }
    }

    private static func firstWindowedLayer(
        _ reader: SettingReader
    ) throws(TransformerError) -> Int {
        guard let value = reader.present("max_window_layers") else { return 28 }
        guard let number = value.intValue, number >= 0 else {
            throw reader.invalid(
                "max_window_layers", reader.describe(value), expected: "a whole number from 0 on")
        }
        return number
    }
}
