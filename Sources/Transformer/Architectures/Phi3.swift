internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block with one module for queries, keys and values, and one for gate and up: Phi-3,
/// Phi-4 and their small ones.
///
/// **Source**: arXiv 2404.14219; `Phi3Config` of transformers 5.
enum Phi3: Architecture {
    static let modelTypes = ["phi3"]
    static let keys: [KnownKey] = [
        .read("partial_rotary_factor", "the share of a head that positions turn"),
        .withoutEffect("embd_layer", "of the family's other models"),
    ]

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 4096)
        var attention = settings.attention(rotary: try settings.rotary(.init(part: 1)))
        attention.projections = .fused(
            LinearSpec(
                "self_attn.qkv_proj",
                outputCount: settings.queryWidth + 2 * settings.keyValueWidth,
                inputCount: settings.hiddenSize), order: .blocks)
        attention.window = try reader.optionalCount("sliding_window", limit: 1 << 30)
        let feedForward = settings.fusedGatedFeedForward(
            width: try settings.intermediateSize(), .silu)
        return try Llama.decoder(
            settings, attention: { _ in attention }, feedForward: { _ in feedForward },
            epsilon: 1e-5)
    }
}
