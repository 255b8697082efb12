internal import Transformer

/// A request on its way through the engine: tokens, pages and times.
struct DecodingSequence {
    let number: Int
    let request: GenerationRequest
    /// New tokens at most, as far as the context has room.
    let newTokenLimit: Int
    /// Prompt, then output.
    private(set) var tokens: [Int32]
    /// Held now, in token order.
    var pages: [Int32] = []
    var sampler: Sampler
    /// Entries for the prompt's tokens so far; nil once they are out, or not wanted.
    var promptLogprobs: [TokenLogprobs?]?
    let submitted: ContinuousClock.Instant
    var started: ContinuousClock.Instant?
    var firstTokenAt: ContinuousClock.Instant?

    init(
        number: Int, request: GenerationRequest, room: Int, submitted: ContinuousClock.Instant
    ) {
        self.number = number
        self.request = request
        self.submitted = submitted
        tokens = request.tokens
        newTokenLimit = min(request.maximumNewTokenCount, room - request.tokens.count)
        sampler = Sampler(request.sampling, prompt: request.tokens)
        if request.promptLogprobCount != nil { promptLogprobs = [nil] }
    }

    var promptTokenCount: Int { request.tokens.count }
    var newTokenCount: Int { tokens.count - promptTokenCount }

    /// How the scheduler sees it.
    var scheduled: ScheduledSequence {
        let lastToken = promptTokenCount - (newTokenLimit > 0 ? 1 : 0)
        return ScheduledSequence(
            number: number, selection: ObjectIdentifier(request.lease.plan),
            tokenCount: promptTokenCount, firstLogitsToken: promptLogprobs == nil ? lastToken : 0,
            deadline: request.timeout.map { submitted + $0 })
    }

    mutating func append(_ token: Int32, at now: ContinuousClock.Instant) {
        tokens.append(token)
        if firstTokenAt == nil { firstTokenAt = now }
    }

    /// The account up to now.
    func summary(_ reason: FinishReason, at now: ContinuousClock.Instant) -> GenerationSummary {
        let prefillEnd = firstTokenAt ?? now
        return GenerationSummary(
            reason: reason, promptTokenCount: promptTokenCount, cachedTokenCount: 0,
            completionTokenCount: newTokenCount, queueDuration: (started ?? now) - submitted,
            prefillDuration: started.map { prefillEnd - $0 } ?? .zero,
            decodeDuration: now - prefillEnd)
    }
}
