internal import Engine
internal import Synchronization

/// A request from its acceptance to its last event, which it has exactly once.
///
/// Any thread may end it at any point: while its adapters are read, while its text becomes tokens,
/// while the generator answers it.
final class AcceptedRequest: Sendable {
    private enum Phase {
        /// Its adapters are awaited, and its text becomes tokens.
        case preparing(GenerateRequest, Preparation)
        /// The generator is being given it, and may send its events already.
        case starting(isCancelled: Bool)
        case running(cancel: @Sendable () -> Void)
        case ended
    }

    /// What must end with it while it prepares.
    private struct Preparation {
        var timer: Task<Void, Never>?
        /// Gives up its adapters where they aren't there yet.
        var giveUpAdapters: (@Sendable () -> Void)?

        func end() {
            timer?.cancel()
            giveUpAdapters?()
        }
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
        phase = Mutex(.preparing(request, Preparation()))
    }

    /// Ends it with `timeout` unless it has started by then.
    func expire(after timeout: Duration) {
        let end = ticket.accepted + timeout
        let timer = Task { [weak self] in
            try? await Task.sleep(until: end, clock: .continuous)
            if !Task.isCancelled { self?.endUnstarted(.timeout) }
        }
        if !change({ $0.timer = timer }) { timer.cancel() }
    }

    /// Its adapters are asked for.
    ///
    /// - Parameter giveUp: called if it ends before they are there; harmless when they are.
    func awaitAdapters(giveUp: @escaping @Sendable () -> Void) {
        if !change({ $0.giveUpAdapters = giveUp }) { giveUp() }
    }

    /// - Returns: false where it doesn't prepare any more; nothing is changed then.
    private func change(_ body: (inout Preparation) -> Void) -> Bool {
        phase.withLock { phase in
            guard case .preparing(let request, var preparation) = phase else { return false }
            body(&preparation)
            phase = .preparing(request, preparation)
            return true
        }
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
        let (isFirst, preparation) = phase.withLock { phase -> (Bool, Preparation?) in
            defer { phase = .ended }
            switch phase {
            case .preparing(_, let preparation): return (true, preparation)
            case .starting, .running: return (true, nil)
            case .ended: return (false, nil)
            }
        }
        preparation?.end()
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
        let left = phase.withLock { phase -> Preparation? in
            guard case .preparing(_, let preparation) = phase else { return nil }
            phase = next
            return preparation
        }
        left?.end()
        return left != nil
    }
}
