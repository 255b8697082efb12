internal import Synchronization

/// Closes a connection when its output fails, which may happen before the connection exists.
final class FailureForwarder: Sendable {
    private struct State {
        /// Weak, since the connection holds the output.
        weak var connection: (any LineConnection)?
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
