internal import Engine
internal import Synchronization

/// A request from its acceptance to its last event, which it has exactly once.
///
/// Any thread may end it at any point: while its adapters are read, while its text becomes tokens,
/// while the generator answers it.
final class AcceptedRequest: Sendable {
    private enum Phase {
        /// Its adapters are awaited, and its text becomes tokens.
        case preparing(GenerateRequest, timer: Task<Void, Never>?)
        /// The generator is being given it, and may send its events already.
        case starting(isCancelled: Bool)
        case running(cancel: @Sendable () -> Void)
        case ended
    }

    /// Tells it from the server's other requests.
    let number: Int
    /// Tells its client from the others.
    let client: UInt64
    let ticket: RequestTicket
    /// What it takes of memory while it waits.
    let byteCount: Int
    private let phase: Mutex<Phase>
    private let emit: @Sendable (ServerEvent) -> Void
    private let emitLast: @Sendable (ServerEvent) -> Void

    /// - Parameters:
    ///   - emit: sends an event that others follow.
    ///   - emitLast: sends the last event; called once.
    init(
        _ request: GenerateRequest, number: Int, client: UInt64, ticket: RequestTicket,
        emit: @escaping @Sendable (ServerEvent) -> Void,
        emitLast: @escaping @Sendable (ServerEvent) -> Void
    ) {
        self.number = number
        self.client = client
        self.ticket = ticket
        byteCount = request.byteCount
        self.emit = emit
        self.emitLast = emitLast
        phase = Mutex(.preparing(request, timer: nil))
    }

    /// Ends it with `timeout` unless it has started by then.
    func expire(after timeout: Duration) {
        let end = ticket.accepted + timeout
        let timer = Task { [weak self] in
            try? await Task.sleep(until: end, clock: .continuous)
            if !Task.isCancelled { self?.endUnstarted(.timeout) }
        }
        let isPreparing = phase.withLock { phase in
            guard case .preparing(let request, _) = phase else { return false }
            phase = .preparing(request, timer: timer)
            return true
        }
        if !isPreparing { timer.cancel() }
    }

    /// What is asked for, while that is still wanted.
    var wanted: GenerateRequest? {
        phase.withLock { phase in
            if case .preparing(let request, _) = phase { request } else { nil }
        }
    }

    /// The generator is about to be given it.
    ///
    /// - Returns: false where it has ended meanwhile.
    func beginStart() -> Bool {
        leavePreparing(to: .starting(isCancelled: false))
    }

    /// The generator has it, unless it has answered already.
    func didStart(cancel: @escaping @Sendable () -> Void) {
        let isUnwanted = phase.withLock { phase in
            guard case .starting(let isCancelled) = phase else { return false }
            phase = .running(cancel: cancel)
            return isCancelled
        }
        if isUnwanted { cancel() }
    }

    /// The client doesn't want it any more: it ends with `cancelled`, at once or with the next
    /// step.
    func cancel() {
        if endUnstarted(.cancelled) { return }
        let cancel = phase.withLock { phase -> (@Sendable () -> Void)? in
            switch phase {
            case .starting: phase = .starting(isCancelled: true)
            case .running(let cancel): return cancel
            case .preparing, .ended: break
            }
            return nil
        }
        cancel?()
    }

    /// Gives it up unless it has started: the generator does so with those that it has.
    func giveUp(_ error: ServingError) {
        if leavePreparing(to: .ended) { emitLast(.failed(error)) }
    }

    /// Sends an event that others follow.
    func send(_ event: ServerEvent) { emit(event) }

    /// Sends the last event; does nothing once it had one.
    func end(_ event: ServerEvent) {
        let (isFirst, timer) = phase.withLock { phase -> (Bool, Task<Void, Never>?) in
            defer { phase = .ended }
            switch phase {
            case .preparing(_, let timer): return (true, timer)
            case .starting, .running: return (true, nil)
            case .ended: return (false, nil)
            }
        }
        timer?.cancel()
        if isFirst { emitLast(event) }
    }

    /// - Returns: whether it ended here.
    @discardableResult
    private func endUnstarted(_ reason: FinishReason) -> Bool {
        guard leavePreparing(to: .ended) else { return false }
        let summary = GenerationSummary(
            reason: reason, promptTokenCount: 0, cachedTokenCount: 0, completionTokenCount: 0,
            queueDuration: ticket.accepted.duration(to: .now), prefillDuration: .zero,
            decodeDuration: .zero)
        emitLast(.done(ServerEvent.Answer(summary: summary, text: "", tokens: [], adapters: [])))
        return true
    }

    private func leavePreparing(to next: Phase) -> Bool {
        let (isFirst, timer) = phase.withLock { phase -> (Bool, Task<Void, Never>?) in
            guard case .preparing(_, let timer) = phase else { return (false, nil) }
            phase = next
            return (true, timer)
        }
        timer?.cancel()
        return isFirst
    }
}
