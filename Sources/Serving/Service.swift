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
        /// Accepted requests that wait for their adapters.
        var startingCount = 0
        var startWaiters: [CheckedContinuation<Void, Never>] = []
    }

    public let context: ServerContext
    private let started = ContinuousClock.now
    private let state = Mutex(State())
    private let connectionCounter = Atomic(0)

    public init(context: ServerContext) {
        self.context = context
    }

    /// The state of a new connection.
    ///
    /// - Parameters:
    ///   - adapterPaths: which paths its client may load adapters from.
    ///   - write: takes whole lines for the client, `\n` included, in order; called on any thread,
    ///     the engine's too, so it must not block.
    public func makeSession(
        adapterPaths: AdapterPathRule, write: @escaping @Sendable (String) -> Void
    ) -> LineSession {
        connectionCounter.add(1, ordering: .relaxed)
        return LineSession(service: self, adapterPaths: adapterPaths, write: write)
    }

    /// True from the first ``requestShutdown()`` on: new work is refused.
    public var isShuttingDown: Bool { state.withLock { $0.isShuttingDown } }

    /// True once ``abort()`` was called.
    public var isAborted: Bool { state.withLock { $0.isAborted } }

    /// Refuses new work from now on and wakes who awaits ``shutdownRequested()``; may be called again.
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

    /// Gives accepted requests up, so that ``drain()`` returns soon.
    public func abort() {
        state.withLock { $0.isAborted = true }
        requestShutdown()
        context.generator.abort()
    }

    /// A request was accepted, and will be the generator's when its adapters are there.
    func beginStart() {
        state.withLock { $0.startingCount += 1 }
    }

    /// It is the generator's now, or has failed.
    func endStart() {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.startingCount -= 1
            guard state.startingCount == 0 else { return [] }
            defer { state.startWaiters = [] }
            return state.startWaiters
        }
        waiters.forEach { $0.resume() }
    }

    private func startsEnded() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.startingCount > 0 { state.startWaiters.append(continuation) }
                return state.startingCount == 0
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
