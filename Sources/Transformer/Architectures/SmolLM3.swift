internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block, in some layers without positions.
///
/// **Source**: `SmolLM3Config` of transformers 5; NoPE, arXiv 2501.18795.
enum SmolLM3: Architecture {
    static let modelTypes = ["smollm3"]
    static let keys: [KnownKey] = [
        .read("no_rope_layers", "for each layer 1, or 0 where positions turn nothing"),
        .read("no_rope_layer_interval", "every n-th layer is such; 4 where absent"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 32_768, keyValueHeadCount: 4)
        let hasBias = try reader.flag("attention_bias", default: false)
        let attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias,
            rotary: try settings.rotary(.init(theta: 2_000_000)))
        let turns = try turningLayers(settings)
        let isWindowed = try reader.flag("use_sliding_window", default: false)
        let window =
            isWindowed ? try reader.optionalCount("sliding_window", limit: 1 << 30) : nil
        let windowed = try settings.windowedLayers() ?? turns.map { !$0 }
        var spec = try Llama.decoder(
            settings,
            attention: { layer in
                var own = attention
                if !turns[layer] { own.rotary = nil }
                own.window = windowed[layer] ? window : nil
                return own
            }, feedForwardBias: try reader.flag("mlp_bias", default: false))
        spec.tiesHeadToEmbedding = try settings.isTied(default: true)
        return spec
    }

    private static func turningLayers(
        _ settings: DecoderSettings
    ) throws(TransformerError) -> [Bool] {
        let reader = settings.reader
        guard let value = reader.present("no_rope_layers") else {
            let interval = try reader.optionalCount("no_rope_layer_interval", limit: 1 << 12) ?? 4
            return (0..<settings.layerCount).map { ($0 + 1) % interval != 0 }
        }
        let numbers = value.arrayValue?.map(\.intValue) ?? []
        guard numbers.count == settings.layerCount, numbers.allSatisfy({ $0 == 0 || $0 == 1 })
        else {
            throw reader.invalid(
                "no_rope_layers", reader.describe(value),
                expected: "a list of \(settings.layerCount) zeros and ones")
        }
        return numbers.map { $0 == 1 }
    }
}
