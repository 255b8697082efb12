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

    func checkCapacity() throws(EngineError) {
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
    }

    func start(_ request: GenerationRequest) throws(EngineError) -> @Sendable () -> Void {
        guard !request.tokens.isEmpty else {
            request.lease.release()
            throw .emptyPrompt
        }
        let place = state.withLock { state in
            state.requests.append(request)
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
