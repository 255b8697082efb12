internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block, with attention over a sliding window in every layer.
///
/// **Source**: arXiv 2310.06825; `MistralConfig` of transformers 5.
enum Mistral: Architecture {
    static let modelTypes = ["mistral"]
    static let keys: [KnownKey] = []

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 131_072, keyValueHeadCount: 8)
        var attention = settings.attention(rotary: try settings.rotary())
        attention.window = try window(reader)
        return try Llama.decoder(settings, attention: { _ in attention })
    }

    /// `sliding_window`: null is none, and where it is absent there is the default.
    static func window(_ reader: SettingReader) throws(TransformerError) -> Int? {
        guard reader.object["sliding_window"] != nil else { return 4096 }
        return try reader.optionalCount("sliding_window", limit: 1 << 30)
    }
}
