import Adapters
import Dispatch
import Synchronization

/// Holds whoever looks at certain files until it is opened.
final class ReadGate: Sendable {
    private struct State {
        var paths: Set<String> = []
        var arrivalCount = 0
        var waitingCount = 0
    }

    private let state = Mutex(State())
    private let semaphore = DispatchSemaphore(value: 0)

    /// From now on whoever looks at what is at this path waits.
    func close(_ path: String) { state.withLock { _ = $0.paths.insert(path) } }

    /// Lets all go that wait, and everyone from now on.
    func open() {
        let count = state.withLock { state in
            state.paths = []
            defer { state.waitingCount = 0 }
            return state.waitingCount
        }
        for _ in 0..<count { semaphore.signal() }
    }

    /// Those who came to a closed gate.
    var arrivalCount: Int { state.withLock { $0.arrivalCount } }

    /// For `AdapterRegistry.Settings.willRead`.
    func pass(_ path: String) {
        let mustWait = state.withLock { state in
            guard state.paths.contains(path) else { return false }
            state.arrivalCount += 1
            state.waitingCount += 1
            return true
        }
        if mustWait { semaphore.wait() }
    }
}
