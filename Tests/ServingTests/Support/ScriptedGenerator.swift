import Engine
import Serving
import Synchronization
import Transformer

/// A generator that does nothing by itself: the test sends the events.
final class ScriptedGenerator: TokenGenerator {
    private struct State {
        var requests: [GenerationRequest] = []
        var cancelledPlaces: [Int] = []
        var refusal: EngineError?
        var isAborted = false
        var acceptedCount = 0
        var tickets: [RequestTicket] = []
        var limit = Int.max
    }

    let contextTokenCount: Int

    init(contextTokenCount: Int = 1 << 30) {
        self.contextTokenCount = contextTokenCount
    }

    private let state = Mutex(State())

    /// What was started, in order.
    var requests: [GenerationRequest] { state.withLock { $0.requests } }
    /// Places in `requests` of what was cancelled.
    var cancelledPlaces: [Int] { state.withLock { $0.cancelledPlaces } }
    var isAborted: Bool { state.withLock { $0.isAborted } }

    func refuse(_ error: EngineError?) {
        state.withLock { $0.refusal = error }
    }

    /// Tickets that were neither withdrawn nor answered.
    var inFlightCount: Int { state.withLock { $0.acceptedCount } }
    /// Tickets of `requests`, in the same order.
    var tickets: [RequestTicket] { state.withLock { $0.tickets } }

    /// Accepts this many at the same time.
    func limit(to count: Int) {
        state.withLock { $0.limit = count }
    }

    func accept() throws(EngineError) -> RequestTicket {
        let refusal = state.withLock { state -> EngineError? in
            if let refusal = state.refusal { return refusal }
            guard state.acceptedCount < state.limit else {
                return .overloaded(requestLimit: state.limit)
            }
            state.acceptedCount += 1
            return nil
        }
        if let refusal { throw refusal }
        return RequestTicket(accepted: .now)
    }

    func withdraw(_ ticket: RequestTicket) {
        state.withLock { $0.acceptedCount -= 1 }
    }

    func start(
        _ request: GenerationRequest, ticket: RequestTicket
    ) throws(EngineError) -> @Sendable () -> Void {
        guard !request.tokens.isEmpty else {
            request.lease.release()
            withdraw(ticket)
            throw .emptyPrompt
        }
        let place = state.withLock { state in
            state.requests.append(request)
            state.tickets.append(ticket)
            return state.requests.count - 1
        }
        return { self.state.withLock { $0.cancelledPlaces.append(place) } }
    }

    func drain() async {}

    func abort() {
        state.withLock { $0.isAborted = true }
    }

    func statistics() -> EngineStatistics { EngineStatistics() }

    /// Sends the tokens of a text, one a byte, then ends the request.
    @discardableResult
    func answer(
        _ place: Int, _ text: String, _ reason: FinishReason = .length
    ) -> [SinkDecision] {
        let decisions = text.utf8.map { send(Int32($0), to: place) }
        finish(place, reason)
        return decisions
    }

    @discardableResult
    func send(
        _ token: Int32, to place: Int, isEndToken: Bool = false, logprobs: TokenLogprobs? = nil
    ) -> SinkDecision {
        requests[place].sink.receive(
            .token(GeneratedToken(token: token, isEndToken: isEndToken, logprobs: logprobs)))
    }

    func finish(_ place: Int, _ reason: FinishReason) {
        let request = requests[place]
        request.lease.release()
        withdraw(tickets[place])
        _ = request.sink.receive(
            .finished(
                GenerationSummary(
                    reason: reason, promptTokenCount: request.tokens.count, cachedTokenCount: 0,
                    completionTokenCount: 0, queueDuration: .microseconds(1500),
                    prefillDuration: .zero, decodeDuration: .milliseconds(2))))
    }
}

/// A lease whose plan nobody looks at.
final class CountedLease: PlanLease {
    private let releaseCounter = Atomic(0)

    var releaseCount: Int { releaseCounter.load(ordering: .relaxed) }
    var plan: AdapterPlan { preconditionFailure("the scripted generator computes nothing") }
    var key: String { "" }

    func release() { releaseCounter.add(1, ordering: .relaxed) }
    func addTokens(_ count: Int) {}
}
