/// The shape and constants of a decoder of the Llama family.
///
/// **Source**: LLaMA, arXiv 2302.13971; keys as in Hugging Face's `config.json`.
public struct ModelConfiguration: Equatable, Sendable {
    public let modelType: String
    public let vocabularyCount: Int
    public let hiddenSize: Int
    /// Width of the feed-forward part.
    public let intermediateSize: Int
    public internal(set) var layerCount: Int
    public let queryHeadCount: Int
    /// Heads that keys and values have; each serves queryHeadCount / keyValueHeadCount query heads.
    public let keyValueHeadCount: Int
    public let headDimension: Int
    public let normEpsilon: Float
    public let rotary: RotaryConfiguration
    /// Positions that the model was made for; no more than `attentionWindow` where it has one.
    public let maximumPositionCount: Int
    /// Tokens over which some layer's attention reaches; nil: every layer attends to all tokens.
    public let attentionWindow: Int?
    /// True where one table is both embedding and head. A checkpoint that has two has two, whatever
    /// its configuration says.
    public internal(set) var tiesHeadToEmbedding: Bool
    public let biases: LinearBiases

    /// Which projections of a block have biases.
    public struct LinearBiases: Equatable, Sendable {
        public let queryKeyValue: Bool
        public let attentionOutput: Bool
        public let feedForward: Bool
    }

    public var queryWidth: Int { queryHeadCount * headDimension }
    public var keyValueWidth: Int { keyValueHeadCount * headDimension }

    /// **Shape** of a linear slot's weight.
    package func shape(of slot: LinearSlot) -> LinearShape {
        switch slot {
        case .head: LinearShape(outputCount: vocabularyCount, inputCount: hiddenSize)
        case .layer(_, let role): shape(of: role)
        }
    }

    private func shape(of role: LinearRole) -> LinearShape {
        switch role {
        case .query: LinearShape(outputCount: queryWidth, inputCount: hiddenSize)
        case .key, .value: LinearShape(outputCount: keyValueWidth, inputCount: hiddenSize)
        case .attentionOutput: LinearShape(outputCount: hiddenSize, inputCount: queryWidth)
        case .gate, .up: LinearShape(outputCount: intermediateSize, inputCount: hiddenSize)
        case .down: LinearShape(outputCount: hiddenSize, inputCount: intermediateSize)
        }
    }

    package func hasBias(_ slot: LinearSlot) -> Bool {
        switch slot {
        case .head: false
        case .layer(_, .query), .layer(_, .key), .layer(_, .value): biases.queryKeyValue
        case .layer(_, .attentionOutput): biases.attentionOutput
        case .layer: biases.feedForward
        }
    }
}

/// How positions turn queries and keys.
///
/// **Source**: RoFormer, arXiv 2104.09864; linear scaling, arXiv 2306.15595; the
/// frequency-dependent scaling of Llama 3.1 as its model card and `config.json` describe it.
public struct RotaryConfiguration: Equatable, Sendable {
    public enum Scaling: Equatable, Sendable {
        case none
        /// Positions divided by this factor.
        case linear(factor: Float)
        case llama3(
            factor: Float, lowFrequencyFactor: Float, highFrequencyFactor: Float,
            originalPositionCount: Float)
        /// A divisor for each pair of the head, as GGUF's `rope_freqs.weight` gives it.
        case divisors([Float])
    }

    /// The base of the geometric series of wavelengths.
    public let theta: Float
    public let scaling: Scaling
}
