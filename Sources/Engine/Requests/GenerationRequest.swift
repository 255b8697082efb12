/// What the engine needs to answer a request: token ids only.
public struct GenerationRequest: Sendable {
    /// The prompt; at least one token.
    public var tokens: [Int32]
    /// The adapters. The engine releases the lease exactly once: at the request's end, or before
    /// `submit` throws.
    public var lease: any PlanLease
    public var sampling: SamplingParameters
    /// New tokens at most; 0 scores the prompt only. Where the context has less room, generation
    /// ends with `FinishReason.length` there.
    public var maximumNewTokenCount: Int
    /// Generation ends with the first of these; empty to go on regardless.
    public var endTokens: Set<Int32>
    /// How many alternatives to report for each new token, 0…100; nil for no log-probabilities.
    public var logprobCount: Int?
    /// How many alternatives to report for each prompt token, 0…100 and for all tokens together up
    /// to `EngineConfiguration.maximumPromptLogprobCount`; nil for none.
    public var promptLogprobCount: Int?
    /// From acceptance on; then the request ends with `FinishReason.timeout`.
    public var timeout: Duration?
    /// Requests with a higher one leave the queue first, and give their pages up last; -100…100,
    /// and not above `maximumPriority`.
    public var priority: Int
    /// What the client may ask for at most.
    public var maximumPriority: Int
    /// Tells clients apart, which share places and turns evenly; what a client has of them its
    /// adapters share.
    public var client: UInt64
    /// Where events go.
    public var sink: any GenerationSink

    public init(
        tokens: [Int32], lease: any PlanLease, sampling: SamplingParameters = .greedy,
        maximumNewTokenCount: Int = 256, endTokens: Set<Int32> = [], logprobCount: Int? = nil,
        promptLogprobCount: Int? = nil, timeout: Duration? = nil, priority: Int = 0,
        maximumPriority: Int = 100, client: UInt64 = 0, sink: any GenerationSink
    ) {
        self.tokens = tokens
        self.lease = lease
        self.sampling = sampling
        self.maximumNewTokenCount = maximumNewTokenCount
        self.endTokens = endTokens
        self.logprobCount = logprobCount
        self.promptLogprobCount = promptLogprobCount
        self.timeout = timeout
        self.priority = priority
        self.maximumPriority = maximumPriority
        self.client = client
        self.sink = sink
    }
}

/// Names a submitted request.
public struct RequestHandle: Sendable, Hashable {
    let number: Int
}
