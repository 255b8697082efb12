internal import StrictJSON

extension RotaryConfiguration {
    /// Reads `rope_theta` and `rope_scaling`, or `rope_parameters`, which holds both in newer files.
    init(_ reader: SettingReader, headDimension: Int) throws(TransformerError) {
        let parameters = try reader.optionalObject("rope_parameters")
        let plain = try reader.positive("rope_theta", default: 10_000)
        theta = try (parameters ?? reader).positive("rope_theta", default: plain)
        let older = try reader.optionalObject("rope_scaling")
        if let scaling = parameters ?? older {
            self.scaling = try Self.scaling(scaling, headDimension: headDimension)
        } else {
            scaling = .none
        }
    }

    private static func scaling(
        _ reader: SettingReader, headDimension: Int
    ) throws(TransformerError) -> Scaling {
        let older = try reader.optionalText("type")
        let kind = try reader.optionalText("rope_type") ?? older ?? "default"
        switch kind {
        case "default":
            return .none
        case "linear":
            return .linear(factor: try reader.positive("factor"))
        case "llama3":
            return .llama3(
                factor: try reader.positive("factor"),
                lowFrequencyFactor: try reader.positive("low_freq_factor"),
                highFrequencyFactor: try reader.positive("high_freq_factor"),
                originalPositionCount: try reader.positive("original_max_position_embeddings"))
        case "divisors":
            return .divisors(try reader.positives("divisors", count: headDimension / 2))
        default:
            throw reader.unsupported(
                "rope_type", kind, supported: "default, linear and llama3 rotary scaling")
        }
    }
}
