internal import Checkpoints
internal import StrictJSON

extension RotaryConfiguration {
    /// Reads `rope_scaling` or `rope_parameters`, and `rope_theta` in it or beside it.
    ///
    /// A file that has both dictionaries is read as transformers does: `rope_scaling` counts, and
    /// the other isn't looked at.
    init(
        _ reader: SettingReader, headDimension: Int, positionCount: Int
    ) throws(TransformerError) {
        let settings = try Self.settings(reader)
        // For Llama 3's scaling the file's own number counts, then that of the settings.
        let outer = try reader.positive(
            "original_max_position_embeddings", default: Float(positionCount))
        let isOuterStated = reader.present("original_max_position_embeddings") != nil
        let plain = try reader.positive("rope_theta", default: 10_000)
        theta = try settings?.positive("rope_theta", default: plain) ?? plain
        scaling =
            try settings.map { (settings) throws(TransformerError) in
                try Self.scaling(
                    settings, headDimension: headDimension,
                    originalPositionCount: isOuterStated
                        ? outer
                        : settings.positive("original_max_position_embeddings", default: outer))
            } ?? .none
    }

    private static func settings(
        _ reader: SettingReader
    ) throws(TransformerError) -> SettingReader? {
        let older = try reader.optionalObject("rope_scaling")
        let newer = try reader.optionalObject("rope_parameters")
        return older.flatMap { $0.object.isEmpty ? nil : $0 } ?? newer
    }

    /// - Parameter originalPositionCount: of Llama 3's scaling.
    private static func scaling(
        _ reader: SettingReader, headDimension: Int, originalPositionCount: Float
    ) throws(TransformerError) -> Scaling {
        for (name, value) in reader.object where value.objectValue != nil {
            throw .refusedSetting(
                name, value: "an object",
                reason: "rotary settings for each kind of layer aren't "
                    + "served yet", file: reader.file)
        }
        let partial = try reader.positive("partial_rotary_factor", default: 1)
        if partial != 1 {
            throw reader.unsupported("partial_rotary_factor", "\(partial)", supported: "1")
        }
        switch try kind(reader) {
        case "default":
            return .none
        case "linear":
            return .linear(factor: try reader.positive("factor"))
        case "llama3":
            return .llama3(
                factor: try reader.positive("factor"),
                lowFrequencyFactor: try reader.positive("low_freq_factor"),
                highFrequencyFactor: try reader.positive("high_freq_factor"),
                originalPositionCount: originalPositionCount)
        case "divisors":
            return .divisors(try reader.positives("divisors", count: headDimension / 2))
        case let kind:
            throw reader.unsupported(
                "rope_type", kind, supported: "default, linear and llama3 rotary scaling")
        }
    }

    private static func kind(_ reader: SettingReader) throws(TransformerError) -> String {
        let older = try reader.optionalText("type")
        return try reader.optionalText("rope_type") ?? older ?? "default"
    }

    /// What the settings say without effect, as in transformers; nil where there is nothing.
    static func warning(_ reader: SettingReader) throws(TransformerError) -> String? {
        guard let settings = try settings(reader) else { return nil }
        let kind = try kind(settings)
        let used: [String: Set<String>] = [
            "linear": ["factor"],
            "llama3": [
                "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
            ],
            "divisors": ["divisors"],
        ]
        let always: Set<String> = ["type", "rope_type", "rope_theta", "partial_rotary_factor"]
        let idle = settings.object.keys.filter {
            !always.contains($0) && used[kind]?.contains($0) != true
        }
        guard !idle.isEmpty else { return nil }
        return "\(reader.file): rotary settings \(idle.map { "'\($0)'" }.joined(separator: ", ")) "
            + "have no effect with rope_type '\(kind)', as in transformers"
    }
}
