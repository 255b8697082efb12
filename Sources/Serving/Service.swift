internal import Engine
internal import Synchronization

/// The life of a server, whatever its connections are: open, shutting down, over.
///
/// It knows no sockets: a transport makes one session for each connection and runs until
/// ``shutdownRequested()`` returns, then awaits ``drain()`` and closes its connections.
public final class Service: Sendable {
    private struct State {
        var isShuttingDown = false
        var isAborted = false
        var waiters: [CheckedContinuation<Void, Never>] = []
        /// Accepted requests that are not the generator's yet.
        var starting: [Int: AcceptedRequest] = [:]
        /// Requests that ended before they were, by reason.
        var unstartedCounts: [FinishReason: Int] = [:]
        var startWaiters: [CheckedContinuation<Void, Never>] = []
    }

    public let context: ServerContext
    /// Bytes of lines that are being received or wait to be handled.
    public let incomingBytes: ByteBudget
    /// Bytes of events that wait for clients.
    public let outgoingBytes: ByteBudget
    /// Bytes of accepted requests that are not the generator's yet.
    let waitingBytes: ByteBudget
    let promptRoom: PromptRoom
    private let lanes: PreparationLanes
    private let started = ContinuousClock.now
    private let state = Mutex(State())
    private let connectionCounter = Atomic(0)
    private let sessionCounter = Atomic<UInt64>(0)
    private let requestCounter = Atomic(0)

    public init(context: ServerContext) {
        self.context = context
        let configuration = context.configuration
        incomingBytes = ByteBudget(limit: configuration.sharedByteCount)
        outgoingBytes = ByteBudget(limit: configuration.sharedByteCount)
        waitingBytes = ByteBudget(limit: configuration.sharedByteCount)
        promptRoom = PromptRoom(
            contextTokenCount: context.generator.contextTokenCount, tokenizer: context.tokenizer)
        lanes = PreparationLanes(count: configuration.preparationLaneCount)
    }

    /// The state of a new connection.
    ///
    /// - Parameters:
    ///   - rights: what its client may ask for.
    ///   - write: takes whole lines for the client, `\n` included, in order; called on any thread,
    ///     so it must not block.
    public func makeSession(
        rights: ClientRights, write: @escaping @Sendable (String) -> Void
    ) -> LineSession {
        connectionCounter.add(1, ordering: .relaxed)
        let number = sessionCounter.add(1, ordering: .relaxed).newValue
        return LineSession(
            service: self, number: number, rights: rights, lane: lanes.next(), write: write)
    }

    /// True from the first ``requestShutdown()`` on: new work is refused.
    public var isShuttingDown: Bool { state.withLock { $0.isShuttingDown } }

    /// True once ``abort()`` was called.
    public var isAborted: Bool { state.withLock { $0.isAborted } }

    /// Refuses new work from now on and wakes who awaits ``shutdownRequested()``; may be called
    /// again.
    public func requestShutdown() {
        let waiters = state.withLock { state in
            state.isShuttingDown = true
            defer { state.waiters = [] }
            return state.waiters
        }
        waiters.forEach { $0.resume() }
    }

    /// Returns when a shutdown was requested: by a client, a signal or the end of input.
    public func shutdownRequested() async {
        await withCheckedContinuation { continuation in
            let isRequested = state.withLock { state in
                if !state.isShuttingDown { state.waiters.append(continuation) }
                return state.isShuttingDown
            }
            if isRequested { continuation.resume() }
        }
    }

    /// Returns when every accepted request has had its last event; new ones are refused.
    public func drain() async {
        requestShutdown()
        await startsEnded()
        await context.generator.drain()
    }

    /// Gives accepted requests up, so that ``drain()`` returns soon: it waits for no adapter that
    /// is being read any more.
    public func abort() {
        let starting = state.withLock { state in
            state.isAborted = true
            return Array(state.starting.values)
        }
        requestShutdown()
        context.generator.abort()
        for request in starting {
            request.giveUp(ServingError(EngineError.shuttingDown))
        }
    }

    /// A number that no other request has.
    func nextRequestNumber() -> Int {
        requestCounter.add(1, ordering: .relaxed).newValue
    }

    /// A request was accepted, and will be the generator's when its adapters are there.
    func beginStart(_ request: AcceptedRequest) {
        let isAborted = state.withLock { state in
            if request.wanted != nil { state.starting[request.number] = request }
            return state.isAborted
        }
        if isAborted { request.giveUp(ServingError(EngineError.shuttingDown)) }
    }

    /// It is the generator's now, or has had its last event.
    func endStart(_ number: Int) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.starting[number] = nil
            guard state.starting.isEmpty else { return [] }
            defer { state.startWaiters = [] }
            return state.startWaiters
        }
        waiters.forEach { $0.resume() }
    }

    /// Accounts for a request's last event.
    func note(_ event: ServerEvent) {
        guard case .done(let answer) = event, !answer.hasStarted else { return }
        state.withLock { $0.unstartedCounts[answer.summary.reason, default: 0] += 1 }
    }

    /// Requests that ended for this reason before the generator had them.
    func unstartedCount(_ reason: FinishReason) -> Int {
        state.withLock { $0.unstartedCounts[reason] ?? 0 }
    }

    private func startsEnded() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.starting.isEmpty { state.startWaiters.append(continuation) }
                return state.starting.isEmpty
            }
            if isOver { continuation.resume() }
        }
    }

    var uptime: Duration { started.duration(to: .now) }

    /// Connections that exist now.
    var connectionCount: Int { connectionCounter.load(ordering: .relaxed) }

    func didEndSession() {
        connectionCounter.subtract(1, ordering: .relaxed)
    }
}
