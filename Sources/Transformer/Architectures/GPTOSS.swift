internal import Checkpoints
internal import Kernels
internal import StrictJSON

/// Llama's block with biases, sinks, a window in every other layer, and experts whose gates are
/// clamped. Checkpoints have the matrices of all experts in two tensors, gates and ups in turns.
///
/// **Source**: arXiv 2508.10925; `GptOssConfig` of transformers 5.
enum GPTOSS: Architecture {
    static let modelTypes = ["gpt_oss"]
    static let keys: [KnownKey] =
        [
            .read("swiglu_alpha", "1.702"),
            .read("swiglu_limit", "up to which gates go; 7 where absent"),
            .read("layer_types", "which layers have the window; every other where absent"),
            .withoutEffect("experts_per_token", "the same as num_experts_per_tok"),
            .withoutEffect("initial_context_length", "the rotary settings have it"),
            .refused(
                "quantization_config",
                "the experts are in MXFP4, which isn't read from safetensors: take a checkpoint "
                    + "in bf16"),
        ] + ExpertSettings.keys

    static func spec(_ reader: SettingReader) throws(TransformerError) -> DecoderSpec {
        try Llama.requireSiLU(reader)
        let reader = withRotarySettings(reader)
        let settings = try DecoderSettings(
            reader, positionCount: 131_072, keyValueHeadCount: 8, headDimension: 64)
        let hasBias = try reader.flag("attention_bias", default: true)
        var attention = settings.attention(
            hasBias: hasBias, outputHasBias: hasBias,
            rotary: try settings.rotary(.init(theta: 150_000)))
        attention.sinks = "self_attn.sinks"
        let window =
            reader.object["sliding_window"] == nil
            ? 128 : try reader.optionalCount("sliding_window", limit: 1 << 30)
        let windowed =
            try settings.windowedLayers() ?? (0..<settings.layerCount).map { $0 % 2 == 0 }
        let feedForward = try feedForward(settings)
        return try Llama.decoder(
            settings,
            attention: { layer in
                var own = attention
                own.window = windowed[layer] ? window : nil
                return own
            }, feedForward: { _ in feedForward }, epsilon: 1e-5)
    }

    private static func feedForward(
        _ settings: DecoderSettings
    ) throws(TransformerError) -> FeedForwardSpec {
        let reader = settings.reader
        let alpha = try reader.positive("swiglu_alpha", default: 1.702)
        guard alpha == 1.702 else {
            throw reader.unsupported("swiglu_alpha", "\(alpha)", supported: "1.702")
        }
        let experts = try ExpertSettings(
            settings, countName: "num_local_experts", count: 128, topCount: 4)
        func linear(
            _ expert: Int, _ name: String, _ outputCount: Int, _ inputCount: Int
        ) -> LinearSpec {
            var linear = LinearSpec(
                "mlp.experts.\(expert).\(name)", outputCount: outputCount, inputCount: inputCount,
                hasBias: true)
            linear.stacked = StackedTensor(
                name: "mlp.experts.\(name)", biasName: "mlp.experts.\(name)_bias", index: expert,
                count: experts.count, rows: 0..<outputCount, rowCount: outputCount,
                isTransposed: true, isAlternative: false)
            return linear
        }
        let (width, hiddenSize) = (experts.width, settings.hiddenSize)
        let spec = experts.experts(
            router: "mlp.router", routerHasBias: true, normalizesWeights: true,
            gating: .clamped(limit: try reader.positive("swiglu_limit", default: 7))
        ) { expert in
            ExpertSpec(
                inputs: .interleavedGated(linear(expert, "gate_up_proj", 2 * width, hiddenSize)),
                down: linear(expert, "down_proj", hiddenSize, width))
        }
        return experts.feedForward("mlp", spec)
    }

    /// Where the file has no rotary settings, the family's.
    private static func withRotarySettings(_ reader: SettingReader) -> SettingReader {
        guard reader.isAbsent("rope_parameters"), reader.isAbsent("rope_scaling") else {
            return reader
        }
        var object = reader.object
        object["rope_scaling"] = .object([
            "rope_type": .string("yarn"), "factor": .number(32), "beta_fast": .number(32),
            "beta_slow": .number(1), "truncate": .bool(false),
            "original_max_position_embeddings": .number(4096),
        ])
        return SettingReader(object: object, file: reader.file)
    }
}
