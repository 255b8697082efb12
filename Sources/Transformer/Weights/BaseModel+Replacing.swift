public import Checkpoints
public import Kernels
public import StrictJSON

extension BaseModel {
    /// Weights that stand in place of a base's.
    public struct Replacements {
        public var embedding: PackedMatrix?
        public var linear: [LinearSlot: PackedMatrix] = [:]
        public var biases: [LinearSlot: [Float]] = [:]
        public var gains: [NormSlot: [Float]] = [:]
        public var normBiases: [NormSlot: [Float]] = [:]
        public var tokenizer: TokenizerAssets?

        public init() {}
    }

    /// A base like another but for some weights; what stays is shared with it.
    ///
    /// - Parameter configuration: `config.json` of the result.
    /// - Throws: `TransformerError` for a configuration that can't be read.
    public convenience init(
        _ base: BaseModel, with replacements: Replacements, configuration: JSONObject
    ) throws(TransformerError) {
        let slots = base.slots
        let settings = try DecoderSpec(configuration, file: base.path)
        let embedding = replacements.embedding ?? base.weights.embedding
        var (linear, biases) = (base.weights.linear, base.weights.biases)
        var (gains, normBiases) = (base.weights.gains, base.weights.normBiases)
        for (slot, matrix) in replacements.linear { linear[slots.index(of: slot)] = matrix }
        for (slot, bias) in replacements.biases { biases[slots.index(of: slot)] = bias }
        for (slot, gain) in replacements.gains { gains[slots.index(of: slot)] = gain }
        for (slot, bias) in replacements.normBiases { normBiases[slots.index(of: slot)] = bias }
        if settings.tiesHeadToEmbedding { linear[slots.index(of: .head)] = embedding }
        self.init(
            configuration: settings,
            configurationText: JSONValue.object(configuration).serialized(), path: base.path,
            tokenizer: replacements.tokenizer ?? base.tokenizer,
            weights: Weights(
                embedding: embedding, linear: linear, biases: biases, gains: gains,
                normBiases: normBiases, positions: base.weights.positions,
                sinks: base.weights.sinks),
            keyValueType: base.keyValueType)
    }
}
