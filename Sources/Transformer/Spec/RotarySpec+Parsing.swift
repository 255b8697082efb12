internal import Checkpoints
internal import Foundation
internal import StrictJSON

extension RotarySpec {
    /// What an architecture says of its rotary embedding beside its configuration.
    struct Defaults {
        var theta: Float = 10_000
        /// Share of a head that is turned where the configuration doesn't say; nil: always all.
        var part: Float?
        /// The kind of layer, where settings are given for each.
        var layerType: String?
        var isInterleaved = false
    }

    /// Reads `rope_scaling` or `rope_parameters`, and `rope_theta` in it or beside it.
    ///
    /// A file that has both dictionaries is read as transformers does: `rope_scaling` counts, and
    /// the other isn't looked at.
    init(
        _ reader: SettingReader, headDimension: Int, positionCount: Int,
        _ defaults: Defaults = Defaults()
    ) throws(TransformerError) {
        let settings = try Self.settings(reader, layerType: defaults.layerType)
        // For Llama 3's scaling the file's own number counts, then that of the settings.
        let outer = try reader.positive(
            "original_max_position_embeddings", default: Float(positionCount))
        let isOuterStated = reader.present("original_max_position_embeddings") != nil
        let plain = try reader.positive("rope_theta", default: defaults.theta)
        theta = try settings?.positive("rope_theta", default: plain) ?? plain
        isInterleaved = defaults.isInterleaved
        let outerPart = try reader.positive("partial_rotary_factor", default: defaults.part ?? 1)
        let part = try settings?.positive("partial_rotary_factor", default: outerPart) ?? outerPart
        if defaults.part == nil, part != 1 {
            throw reader.unsupported("partial_rotary_factor", "\(part)", supported: "1")
        }
        dimension = Int(Float(headDimension) * part)
        guard part <= 1, dimension > 0, dimension % 2 == 0 else {
            throw reader.invalid(
                "partial_rotary_factor", "\(part)",
                expected: "a share of the head, \(headDimension), that has an even number of values"
            )
        }
        guard let settings else {
            scaling = .none
            return
        }
        let original =
            try isOuterStated
            ? outer : settings.positive("original_max_position_embeddings", default: outer)
        (scaling, magnitude) = try Self.scaling(
            settings, dimension: dimension, originalPositionCount: original,
            positionCount: positionCount)
    }

    private static func settings(
        _ reader: SettingReader, layerType: String?
    ) throws(TransformerError) -> SettingReader? {
        let older = try reader.optionalObject("rope_scaling")
        let newer = try reader.optionalObject("rope_parameters")
        guard
            let settings = older.flatMap({ $0.object.isEmpty ? nil : $0 }) ?? newer
        else { return nil }
        guard let layerType, settings.object.contains(where: { $0.value.objectValue != nil }) else {
            return settings
        }
        return try settings.optionalObject(layerType)
    }

    /// Scaling, and the factor on cosines and sines.
    private static func scaling(
        _ reader: SettingReader, dimension: Int, originalPositionCount: Float, positionCount: Int
    ) throws(TransformerError) -> (Scaling, magnitude: Float) {
        for (name, value) in reader.object where value.objectValue != nil {
            throw .refusedSetting(
                name, value: "an object",
                reason: "rotary settings for each kind of layer aren't "
                    + "served yet", file: reader.file)
        }
        switch try kind(reader) {
        case "default":
            return (.none, 1)
        case "linear":
            return (.linear(factor: try reader.positive("factor")), 1)
        case "llama3":
            return (
                .llama3(
                    factor: try reader.positive("factor"),
                    lowFrequencyFactor: try reader.positive("low_freq_factor"),
                    highFrequencyFactor: try reader.positive("high_freq_factor"),
                    originalPositionCount: originalPositionCount), 1
            )
        case "divisors":
            return (.divisors(try reader.positives("divisors", count: dimension / 2)), 1)
        case "yarn":
            let factor = try reader.positive("factor")
            return (
                .yarn(
                    factor: factor, fastRotations: try reader.positive("beta_fast", default: 32),
                    slowRotations: try reader.positive("beta_slow", default: 1),
                    truncates: try reader.flag("truncate", default: true),
                    originalPositionCount: originalPositionCount),
                try yarnMagnitude(reader, factor: factor)
            )
        case "longrope", "su":
            let factor = try reader.positive(
                "factor", default: Float(positionCount) / originalPositionCount)
            let standard =
                factor <= 1 ? 1 : (1 + log(factor) / log(originalPositionCount)).squareRoot()
            return (
                .divisors(try reader.positives("short_factor", count: dimension / 2)),
                try reader.positive("attention_factor", default: standard)
            )
        case let kind:
            throw reader.unsupported(
                "rope_type", kind,
                supported: "default, linear, llama3, yarn and longrope rotary scaling")
        }
    }

    private static func yarnMagnitude(
        _ reader: SettingReader, factor: Float
    ) throws(TransformerError) -> Float {
        func magnitude(_ scale: Float) -> Float {
            factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
        }
        if reader.present("attention_factor") != nil {
            return try reader.positive("attention_factor")
        }
        guard reader.present("mscale") != nil, reader.present("mscale_all_dim") != nil else {
            return magnitude(1)
        }
        return try magnitude(reader.positive("mscale"))
            / magnitude(reader.positive("mscale_all_dim"))
    }

    /// Positions up to which LongRoPE keeps its short factors, which the longer ones would change
    /// for all tokens of a sequence; nil: other scaling.
    static func shortPositionCount(_ reader: SettingReader) throws(TransformerError) -> Int? {
        guard let settings = try settings(reader, layerType: nil),
            ["longrope", "su"].contains(try kind(settings))
        else { return nil }
        let outer = try reader.optionalCount("original_max_position_embeddings", limit: 1 << 30)
        if let outer { return outer }
        return try settings.optionalCount("original_max_position_embeddings", limit: 1 << 30)
    }

    private static func kind(_ reader: SettingReader) throws(TransformerError) -> String {
        let older = try reader.optionalText("type")
        return try reader.optionalText("rope_type") ?? older ?? "default"
    }

    /// What the settings say without effect, as in transformers; nil where there is nothing.
    static func warning(_ reader: SettingReader) throws(TransformerError) -> String? {
        guard let settings = try settings(reader, layerType: nil),
            !settings.object.contains(where: { $0.value.objectValue != nil })
        else { return nil }
        let kind = try kind(settings)
        let used: [String: Set<String>] = [
            "linear": ["factor"],
            "llama3": [
                "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
            ],
            "divisors": ["divisors"],
            "yarn": [
                "factor", "beta_fast", "beta_slow", "truncate", "attention_factor", "mscale",
                "mscale_all_dim", "original_max_position_embeddings",
            ],
            "longrope": longKeys, "su": longKeys,
        ]
        let always: Set<String> = ["type", "rope_type", "rope_theta", "partial_rotary_factor"]
        let idle = settings.object.keys.filter {
            !always.contains($0) && used[kind]?.contains($0) != true
        }
        guard !idle.isEmpty else { return nil }
        return "\(reader.file): rotary settings \(idle.map { "'\($0)'" }.joined(separator: ", ")) "
            + "have no effect with rope_type '\(kind)', as in transformers"
    }

    private static let longKeys: Set<String> = [
        "factor", "short_factor", "long_factor", "attention_factor",
        "original_max_position_embeddings",
    ]
}
