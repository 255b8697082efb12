internal import Engine
internal import Synchronization

/// Turns the engine's events of one request into the client's.
///
/// A token whose text is partly held back waits for what comes next, so that the texts of all token
/// events joined are the text of the `done` event.
final class GenerationResponder: GenerationSink {
    private struct PendingToken {
        let token: Int32
        var text: String
        let logprobs: TokenLogprobs?

        var event: ServerEvent { .token(token, text: text, logprobs: logprobs) }
    }

    private struct State {
        var assembler: TextAssembler
        var tokens: [Int32] = []
        var pending: PendingToken?
    }

    private let adapters: [AnsweringAdapter]
    private let streams: Bool
    private let state: Mutex<State>
    private let emit: @Sendable (ServerEvent) -> Void
    private let emitLast: @Sendable (ServerEvent) -> Void

    /// - Parameters:
    ///   - emit: sends an event that others follow.
    ///   - emitLast: sends the request's last event.
    init(
        assembler: TextAssembler, adapters: [AnsweringAdapter], streams: Bool,
        emit: @escaping @Sendable (ServerEvent) -> Void,
        emitLast: @escaping @Sendable (ServerEvent) -> Void
    ) {
        state = Mutex(State(assembler: assembler))
        self.adapters = adapters
        self.streams = streams
        self.emit = emit
        self.emitLast = emitLast
    }

    func receive(_ event: GenerationEvent) -> SinkDecision {
        switch event {
        case .promptLogprobs(let logprobs):
            emit(.prompt(logprobs))
            return .proceed
        case .token(let token):
            // An end token stands for no text and isn't reported.
            return token.isEndToken ? .proceed : receive(token)
        case .finished(let summary):
            finish(summary)
            return .stop
        case .failed(let error):
            emitLast(.failed(ServingError(error)))
            return .stop
        }
    }

    private func receive(_ token: GeneratedToken) -> SinkDecision {
        let (events, hasStopped) = state.withLock { state -> ([ServerEvent], Bool) in
            let text = state.assembler.append(token.token)
            state.tokens.append(token.token)
            let next = PendingToken(token: token.token, text: text, logprobs: token.logprobs)
            let events = [state.pending, state.assembler.isHolding ? nil : next].compactMap {
                $0?.event
            }
            state.pending = state.assembler.isHolding ? next : nil
            return (events, state.assembler.hasStopped)
        }
        if streams { events.forEach(emit) }
        return hasStopped ? .stop : .proceed
    }

    private func finish(_ summary: GenerationSummary) {
        let (last, answer) = state.withLock { state -> (ServerEvent?, ServerEvent.Answer) in
            state.pending?.text += state.assembler.finish()
            let answer = ServerEvent.Answer(
                summary: summary, text: state.assembler.text, tokens: state.tokens,
                adapters: adapters)
            return (state.pending?.event, answer)
        }
        if streams, let last { emit(last) }
        emitLast(.done(answer))
    }
}
