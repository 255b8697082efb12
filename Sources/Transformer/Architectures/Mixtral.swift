internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Mistral's block with experts in place of the feed-forward part.
///
/// **Source**: arXiv 2401.04088; `MixtralConfig` of transformers 5.
enum Mixtral: Architecture {
    static let modelTypes = ["mixtral"]
    static let keys: [KnownKey] = ExpertSettings.keys

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let settings = try DecoderSettings(reader, positionCount: 131_072, keyValueHeadCount: 8)
        var attention = settings.attention(rotary: try settings.rotary())
        attention.window = try reader.optionalCount("sliding_window", limit: 1 << 30)
        let experts = try ExpertSettings(
            settings, countName: "num_local_experts", count: 8, topCount: 2)
        let feedForward = experts.feedForward(
            "block_sparse_moe",
            experts.gated(
                "block_sparse_moe", names: ("w1", "w3", "w2"), maybeStacked: false,
                normalizesWeights: true))
        return try Llama.decoder(
            settings, attention: { _ in attention }, feedForward: { _ in feedForward },
            epsilon: 1e-5)
    }
}
