internal import Checkpoints
internal import StrictJSON

/// How many heads of keys and values a configuration means. Where it doesn't say, each class of
/// transformers means another number.
///
/// **Source**: transformers 5.23, `LlamaConfig`, `MistralConfig`, `Qwen2Config`.
struct KeyValueHeads {
    static let setting = "num_key_value_heads"
    private static let limit = 1 << 12

    private let reader: SettingReader
    private let family: ModelFamily
    private let queryHeadCount: Int

    init(_ reader: SettingReader, _ family: ModelFamily, queryHeadCount: Int) {
        self.reader = reader
        self.family = family
        self.queryHeadCount = queryHeadCount
    }

    /// - Throws: `TransformerError.invalidSetting` for one that query heads can't share.
    func count() throws(TransformerError) -> Int {
        let stated = try reader.optionalCount(Self.setting, limit: Self.limit)
        let count = stated ?? standard
        guard queryHeadCount % count == 0 else {
            throw reader.invalid(
                Self.setting,
                isMissing ? "absent, which means \(count) for \(family.rawValue)" : "\(count)",
                expected: "a divisor of num_attention_heads, \(queryHeadCount)")
        }
        return count
    }

    /// Null means as many as query heads, whatever the class.
    private var standard: Int {
        guard isMissing else { return queryHeadCount }
        return switch family {
        case .llama: queryHeadCount
        case .mistral: 8
        case .qwen2: 32
        }
    }

    private var isMissing: Bool { reader.object[Self.setting] == nil }

    /// Holds what is meant against the first layer's keys, where nothing is stated.
    ///
    /// - Throws: `TransformerError.invalidSetting` where they have other heads.
    func check(
        _ tensors: any TensorSource, _ configuration: ModelConfiguration
    ) throws(TransformerError) {
        guard isMissing,
            let shape = tensors.tensor(WeightNames.weight(of: .linear(.layer(0, .key))))?.shape,
            shape.count == 2, shape[0] != configuration.keyValueWidth
        else { return }
        let dimension = configuration.headDimension
        throw reader.invalid(
            Self.setting,
            "absent, which means \(configuration.keyValueHeadCount) for \(family.rawValue)",
            expected:
                "\(shape[0] / dimension), as the first layer's keys have \(shape[0]) rows in heads of "
                + "\(dimension): state it")
    }
}
