/// How a token is chosen from a row of logits.
///
/// Filters run in this order, each on the result of the one before: logit bias, repetition penalty,
/// presence and frequency penalty; at temperature 0 the largest logit wins then (of equal ones the
/// lowest token id); otherwise temperature, top-k, top-p, min-p, and a draw from what is left.
public struct SamplingParameters: Sendable, Equatable {
    /// Divides the logits; 0 is greedy.
    public let temperature: Float
    /// Keeps this many of the largest logits; nil keeps all.
    public let topK: Int?
    /// Keeps the likeliest tokens up to and including the one that reaches this mass; 1 keeps all,
    /// 0 the likeliest alone.
    public let topP: Float
    /// Keeps tokens at least this probable, relative to the likeliest; 0 keeps all.
    public let minP: Float
    /// Makes the draws repeatable; nil takes a random one.
    public let seed: UInt64?
    /// Divides positive and multiplies negative logits of tokens in prompt and output; 1 is off.
    public let repetitionPenalty: Float
    /// Subtracted once from the logits of tokens in the output.
    public let presencePenalty: Float
    /// Subtracted from the logits of tokens in the output, once for each time they occur.
    public let frequencyPenalty: Float
    /// Added to the logits of these token ids.
    public let logitBias: [Int: Float]

    /// The largest logit of every row.
    public static let greedy = SamplingParameters()

    /// - Parameter topK: nil, 0 and -1 keep all tokens.
    /// - Throws: `EngineError.invalidParameter` with the protocol's name of the field.
    public init(
        temperature: Float, topK: Int? = nil, topP: Float = 1, minP: Float = 0,
        seed: UInt64? = nil, repetitionPenalty: Float = 1, presencePenalty: Float = 0,
        frequencyPenalty: Float = 0, logitBias: [Int: Float] = [:]
    ) throws(EngineError) {
        try Self.check(temperature, in: 0...100, field: "temperature")
        try Self.check(topP, in: 0...1, field: "top_p")
        try Self.check(minP, in: 0...1, field: "min_p")
        try Self.check(
            repetitionPenalty, in: 0.01...100, field: "repetition_penalty", range: "0.01…100")
        try Self.check(presencePenalty, in: -100...100, field: "presence_penalty")
        try Self.check(frequencyPenalty, in: -100...100, field: "frequency_penalty")
        if let topK, topK < -1 {
            throw .invalidParameter(
                field: "top_k", value: "\(topK)", expected: "1 or more, or 0 for all tokens")
        }
        for (token, bias) in logitBias.sorted(by: { $0.key < $1.key }) {
            try Self.check(bias, in: -100...100, field: "logit_bias", value: "\(token): \(bias)")
        }
        self.temperature = temperature
        self.topK = topK.flatMap { $0 > 0 ? $0 : nil }
        self.topP = topP
        self.minP = minP
        self.seed = seed
        self.repetitionPenalty = repetitionPenalty
        self.presencePenalty = presencePenalty
        self.frequencyPenalty = frequencyPenalty
        self.logitBias = logitBias
    }

    private init() {
        temperature = 0
        topK = nil
        topP = 1
        minP = 0
        seed = nil
        repetitionPenalty = 1
        presencePenalty = 0
        frequencyPenalty = 0
        logitBias = [:]
    }

    /// A value that is not a number lies in no range.
    private static func check(
        _ number: Float, in limits: ClosedRange<Float>, field: String, range: String? = nil,
        value: String? = nil
    ) throws(EngineError) {
        guard limits.contains(number) else {
            let bounds = "\(Int(limits.lowerBound))…\(Int(limits.upperBound))"
            throw .invalidParameter(
                field: field, value: value ?? "\(number)", expected: range ?? bounds)
        }
    }
}
