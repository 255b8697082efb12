import Engine
import Foundation
import Synchronization
import Tokenization

/// Turns a request's tokens into text, as they come or at the end.
final class TextSink: GenerationSink {
    private struct State {
        var decoder: StreamingDecoder
        var text = ""
        var continuation: CheckedContinuation<Result<String, EngineError>, Never>?
        var result: Result<String, EngineError>?
    }

    private let state: Mutex<State>
    /// Called with each piece of text, in order.
    private let write: @Sendable (String) -> Void

    init(_ tokenizer: any Tokenizer, write: @escaping @Sendable (String) -> Void = { _ in }) {
        state = Mutex(State(decoder: StreamingDecoder(tokenizer)))
        self.write = write
    }

    func receive(_ event: GenerationEvent) -> SinkDecision {
        switch event {
        case .promptLogprobs: break
        case .token(let token):
            if !token.isEndToken { add { $0.append(Int(token.token)) } }
        case .finished:
            add { $0.finish() }
            end(nil)
        case .failed(let error):
            end(error)
        }
        return .proceed
    }

    /// The whole text, once the request has ended.
    ///
    /// - Throws: `EngineError` when the engine gave it up.
    func text() async throws -> String {
        let result = await withCheckedContinuation { continuation in
            let ready = state.withLock { state in
                if state.result == nil { state.continuation = continuation }
                return state.result
            }
            if let ready { continuation.resume(returning: ready) }
        }
        return try result.get()
    }

    private func add(_ decode: (inout StreamingDecoder) -> String) {
        let piece = state.withLock { state in
            let piece = decode(&state.decoder)
            state.text += piece
            return piece
        }
        if !piece.isEmpty { write(piece) }
    }

    private func end(_ error: EngineError?) {
        let (continuation, result) = state.withLock { state in
            let result: Result<String, EngineError> =
                error.map { .failure($0) } ?? .success(state.text)
            state.result = result
            defer { state.continuation = nil }
            return (state.continuation, result)
        }
        continuation?.resume(returning: result)
    }
}
