/// Receives the events of one request, in order; nothing follows `finished` or `failed`.
public protocol GenerationSink: Sendable {
    /// Called on the engine's thread, so it must not block or take long. The decision counts for
    /// `promptLogprobs` and `token` events.
    func receive(_ event: GenerationEvent) -> SinkDecision
}

/// Whether a request goes on.
public enum SinkDecision: Sendable {
    case proceed
    /// The request ends with `FinishReason.stop`: a stop string was found.
    case stop
}

/// What happened to a request.
public enum GenerationEvent: Sendable, Equatable {
    /// Once, before the first token, where asked for: an entry for each prompt token; the first
    /// token has none.
    case promptLogprobs([TokenLogprobs?])
    case token(GeneratedToken)
    /// The last event of a request that was answered.
    case finished(GenerationSummary)
    /// The last event of a request that was given up.
    case failed(EngineError)
}

/// A token and the natural logarithm of its probability.
///
/// Probabilities are the model's own: before bias, penalties and temperature.
public struct TokenLogprob: Sendable, Equatable {
    public let token: Int32
    public let logprob: Float

    public init(token: Int32, logprob: Float) {
        self.token = token
        self.logprob = logprob
    }
}

/// The log-probability of a token in its place, and the likeliest tokens there.
public struct TokenLogprobs: Sendable, Equatable {
    public let own: TokenLogprob
    /// As many as asked for, likeliest first; of equal ones the lower token id first.
    public let top: [TokenLogprob]

    public init(own: TokenLogprob, top: [TokenLogprob]) {
        self.own = own
        self.top = top
    }
}

/// A new token.
public struct GeneratedToken: Sendable, Equatable {
    public let token: Int32
    /// True for one of the request's end tokens, which is the last then.
    public let isEndToken: Bool
    /// Where asked for.
    public let logprobs: TokenLogprobs?

    public init(token: Int32, isEndToken: Bool, logprobs: TokenLogprobs?) {
        self.token = token
        self.isEndToken = isEndToken
        self.logprobs = logprobs
    }
}

/// Why generation ended. The raw values are the protocol's.
public enum FinishReason: String, Sendable, CaseIterable {
    /// An end token, or the sink's decision.
    case stop
    /// As many tokens as asked for, or the context is full.
    case length
    case cancelled
    case timeout
}

/// The account of an answered request.
public struct GenerationSummary: Sendable, Equatable {
    public let reason: FinishReason
    public let promptTokenCount: Int
    /// Prompt tokens whose keys and values were found in the cache.
    public let cachedTokenCount: Int
    /// New tokens, an end token included.
    public let completionTokenCount: Int
    /// From acceptance to the first step.
    public let queueDuration: Duration
    /// From the first step to the first token.
    public let prefillDuration: Duration
    /// From the first token to the end.
    public let decodeDuration: Duration

    public init(
        reason: FinishReason, promptTokenCount: Int, cachedTokenCount: Int,
        completionTokenCount: Int, queueDuration: Duration, prefillDuration: Duration,
        decodeDuration: Duration
    ) {
        self.reason = reason
        self.promptTokenCount = promptTokenCount
        self.cachedTokenCount = cachedTokenCount
        self.completionTokenCount = completionTokenCount
        self.queueDuration = queueDuration
        self.prefillDuration = prefillDuration
        self.decodeDuration = decodeDuration
    }
}
