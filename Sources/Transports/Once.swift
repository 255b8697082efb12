internal import Synchronization

/// Runs an action the first time it is asked to.
final class Once: Sendable {
    private let hasRun = Atomic(false)
    private let action: @Sendable () -> Void

    init(_ action: @escaping @Sendable () -> Void) {
        self.action = action
    }

    func run() {
        guard !hasRun.exchange(true, ordering: .acquiringAndReleasing) else { return }
        action()
    }
}

/// Closes a connection when its output fails, which may happen before the connection exists.
final class FailureForwarder: Sendable {
    private struct State {
        var connection: (any LineConnection)?
        var hasFailed = false
    }

    private let state = Mutex(State())

    func set(_ connection: any LineConnection) {
        let hasFailed = state.withLock { state in
            state.connection = connection
            return state.hasFailed
        }
        if hasFailed { connection.close() }
    }

    func forward() {
        let connection = state.withLock { state in
            state.hasFailed = true
            return state.connection
        }
        connection?.close()
    }
}
