import Engine
import Synchronization

/// Collects what an engine holds likely after each token of a prompt.
final class ScoringSink: GenerationSink {
    private struct State {
        var scores: [TokenLogprobs] = []
        var continuation: CheckedContinuation<Result<[TokenLogprobs], EngineError>, Never>?
        var result: Result<[TokenLogprobs], EngineError>?
    }

    private let state = Mutex(State())

    func receive(_ event: GenerationEvent) -> SinkDecision {
        switch event {
        case .promptLogprobs(let entries):
            state.withLock { $0.scores += entries.compactMap { $0 } }
        case .token(let token):
            state.withLock { state in token.logprobs.map { state.scores.append($0) } }
        case .finished: end(nil)
        case .failed(let error): end(error)
        }
        return .proceed
    }

    /// One entry for each prompt token, about the token after it, when the request asked for
    /// log-probabilities of the prompt and of one new token.
    ///
    /// - Throws: `EngineError` when the engine gave the request up.
    func scores() async throws -> [TokenLogprobs] {
        let result = await withCheckedContinuation { continuation in
            let ready = state.withLock { state in
                if state.result == nil { state.continuation = continuation }
                return state.result
            }
            if let ready { continuation.resume(returning: ready) }
        }
        return try result.get()
    }

    private func end(_ error: EngineError?) {
        let (continuation, result) = state.withLock { state in
            let result: Result<[TokenLogprobs], EngineError> =
                error.map { .failure($0) } ?? .success(state.scores)
            state.result = result
            defer { state.continuation = nil }
            return (state.continuation, result)
        }
        continuation?.resume(returning: result)
    }
}
