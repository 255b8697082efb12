internal import Transformer

/// A request on its way through the engine: tokens, sampler and times.
///
/// Confined to the engine's thread. A class, so that a new token copies nothing.
final class DecodingSequence {
    let number: Int
    let request: GenerationRequest
    /// New tokens at most, as far as the context has room.
    let newTokenLimit: Int
    /// What acts on which tokens.
    let plans: PlanSchedule
    /// Tokens and pages.
    let paged: PagedSequence
    var sampler: Sampler
    /// Guesses at the next tokens.
    var draft = Draft()
    /// What the step's rows make of it: the next tokens, the last one not guessed; kept for its
    /// memory.
    var choices: [TokenChoice] = []
    /// Entries for the prompt's tokens so far; nil once they are out, or not wanted.
    var promptLogprobs: [TokenLogprobs?]?
    let submitted: ContinuousClock.Instant
    var started: ContinuousClock.Instant?
    private var firstTokenAt: ContinuousClock.Instant?
    /// Tokens of soft prompts and prompt that were found in the cache rather than computed.
    private(set) var cachedTokenCount = 0
    /// Those that have been found or computed.
    private var knownTokenCount = 0

    init(
        number: Int, request: GenerationRequest, room: Int, plans: PlanSchedule,
        paged: PagedSequence, submitted: ContinuousClock.Instant
    ) {
        self.number = number
        self.request = request
        self.plans = plans
        self.paged = paged
        self.submitted = submitted
        newTokenLimit = min(request.maximumNewTokenCount, room - request.tokens.count)
        sampler = Sampler(request.sampling, prompt: request.tokens)
        if request.promptLogprobCount != nil { promptLogprobs = [nil] }
    }

    var tokens: [Int32] { paged.tokens }
    /// Tokens of the adapters' soft prompts, which stand in front of the request's own.
    var softPromptTokenCount: Int { request.lease.plan.softPromptTokenCount }
    /// Tokens of soft prompts and prompt.
    var promptEnd: Int { softPromptTokenCount + request.tokens.count }
    /// The request's own.
    var promptTokenCount: Int { request.tokens.count }
    var newTokenCount: Int { paged.tokens.count - promptEnd }

    /// How the scheduler sees it.
    var scheduled: ScheduledSequence {
        let lastToken = promptEnd - (newTokenLimit > 0 ? 1 : 0)
        return ScheduledSequence(
            number: number, selection: ObjectIdentifier(plans.plan),
            lane: FairnessLane(client: request.client, adapter: request.lease.lane),
            earlier: plans.earlier.map {
                .init(selection: ObjectIdentifier($0.plan), tokenCount: plans.start)
            }, tokenCount: promptEnd,
            firstLogitsToken: promptLogprobs == nil ? lastToken : softPromptTokenCount,
            laneCount: paged.layout.laneCount,
            callTokenCount: plans.plan.readsWholeCalls ? promptEnd : nil,
            priority: request.priority,
            deadline: request.timeout.map { submitted + $0 })
    }

    func append(_ token: Int32, at now: @Sendable () -> ContinuousClock.Instant) {
        paged.append(token)
        if firstTokenAt == nil { firstTokenAt = now() }
    }

    /// Takes the score of the next token of the prompt, unless it was computed anew.
    func take(_ scored: ScoredRow) {
        guard let logprobs = scored.logprobs,
            promptLogprobs?.count == scored.place + 1 - softPromptTokenCount
        else { return }
        promptLogprobs?.append(logprobs)
    }

    /// Guesses the next tokens, as many as are wanted and can be used.
    func propose(limit: Int) {
        draft.propose(
            after: tokens, from: softPromptTokenCount,
            limit: min(limit, newTokenLimit - newTokenCount - 1))
    }

    /// Accounts for a step's tokens; what it skips for the first time was found in the cache.
    ///
    /// - Returns: how many tokens of soft prompts and prompt were found, and how many are computed
    ///   for the first time.
    func note(_ tokens: Range<Int>) -> (foundCount: Int, computedCount: Int) {
        let foundCount = max(0, min(tokens.lowerBound, promptEnd) - knownTokenCount)
        knownTokenCount += foundCount
        cachedTokenCount += foundCount
        let computedCount = max(0, min(tokens.upperBound, promptEnd) - knownTokenCount)
        knownTokenCount += computedCount
        return (foundCount, computedCount)
    }

    /// The account up to now.
    func summary(_ reason: FinishReason, at now: ContinuousClock.Instant) -> GenerationSummary {
        let prefillEnd = firstTokenAt ?? now
        return GenerationSummary(
            reason: reason, promptTokenCount: promptTokenCount,
            cachedTokenCount: max(0, cachedTokenCount - softPromptTokenCount),
            completionTokenCount: newTokenCount, queueDuration: (started ?? now) - submitted,
            prefillDuration: started.map { prefillEnd - $0 } ?? .zero,
            decodeDuration: now - prefillEnd)
    }
}
