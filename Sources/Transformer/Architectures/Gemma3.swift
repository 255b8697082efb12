internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Gemma 2 with norms of heads instead of capped scores, and rotary embeddings of its own in layers
/// with a window, which are five of six.
///
/// **Source**: arXiv 2503.19786; `Gemma3TextConfig` of transformers 5.
enum Gemma3: Architecture {
    static let modelTypes = ["gemma3_text"]
    static let keys: [KnownKey] = [
        .read("hidden_activation", "an activation; gelu_pytorch_tanh where absent"),
        .read("query_pre_attn_scalar", "whose root divides scores; 256 where absent"),
        .read("attn_logit_softcapping", "the cap of scores; none where absent"),
        .read("final_logit_softcapping", "the cap of logits; none where absent"),
        .read("rope_local_base_freq", "theta of layers with a window; 10,000 where absent"),
        .read("sliding_window_pattern", "every n-th layer has no window; 6 where absent"),
        .read("_sliding_window_pattern", "the same"),
        .withoutEffect("hidden_act", "transformers takes hidden_activation"),
        Gemma.bidirectional,
    ]

    /// Of the smallest one; the language models of larger ones leave out what they share with it.
    private static let standard: JSONObject = [
        "vocab_size": .integer(262_208), "hidden_size": .integer(2304),
        "intermediate_size": .integer(9216), "num_hidden_layers": .integer(26),
        "num_attention_heads": .integer(8),
    ]

    static func spec(_ stated: SettingReader) throws(TransformerError) -> DecoderSpec {
        let reader = stated.completed(with: standard)
        let settings = try DecoderSettings(
            reader, positionCount: 131_072, keyValueHeadCount: 4, headDimension: 256)
        let hasBias = try reader.flag("attention_bias", default: false)
        let norms = try Gemma.Norms(settings)
        var attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias, rotary: nil, scale: try Gemma.scale(reader))
        attention.softCap = try Gemma.cap(reader, "attn_logit_softcapping", default: nil)
        attention.queryNorm = norms.named("self_attn.q_norm", width: settings.headDimension)
        attention.keyNorm = norms.named("self_attn.k_norm", width: settings.headDimension)
        let window = try Mistral.window(reader)
        let windowed = try windowedLayers(settings)
        let (local, global) = (try local(settings), try global(settings))
        let feedForward = settings.gatedFeedForward(
            width: try settings.intermediateSize(),
            try settings.activation("hidden_activation", default: "gelu_pytorch_tanh"))
        return try Gemma.decoder(
            settings, norms,
            softCap: try Gemma.cap(reader, "final_logit_softcapping", default: nil)
        ) { name, layer in
            var own = attention
            own.window = windowed[layer] ? window : nil
            own.rotary = windowed[layer] ? local : global
            return Gemma.sandwich(name, norms, own, feedForward)
        }
    }

    private static func windowedLayers(
        _ settings: DecoderSettings
    ) throws(TransformerError) -> [Bool] {
        if let stated = try settings.windowedLayers() { return stated }
        let older = try settings.reader.optionalCount("_sliding_window_pattern", limit: 1 << 12)
        let pattern =
            try settings.reader.optionalCount("sliding_window_pattern", limit: 1 << 12) ?? older
            ?? 6
        return (0..<settings.layerCount).map { ($0 + 1) % pattern != 0 }
    }

    private static func global(
        _ settings: DecoderSettings
    ) throws(TransformerError) -> RotarySpec {
        try settings.rotary(.init(theta: 1_000_000, layerType: "full_attention"))
    }

    /// Scaling is of the other layers, unless each kind has its settings.
    private static func local(
        _ settings: DecoderSettings
    ) throws(TransformerError) -> RotarySpec {
        let reader = settings.reader
        let theta = try reader.positive("rope_local_base_freq", default: 10_000)
        let kinds = try reader.optionalObject("rope_parameters")?.object["sliding_attention"]
        guard kinds?.objectValue != nil else {
            return RotarySpec(theta: theta, dimension: settings.headDimension)
        }
        var object = reader.object
        object["rope_theta"] = .number(Double(theta))
        return try RotarySpec(
            SettingReader(object: object, file: reader.file),
            headDimension: settings.headDimension, positionCount: settings.statedPositionCount,
            .init(theta: theta, layerType: "sliding_attention"))
    }
}
