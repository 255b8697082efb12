import Synchronization

/// Says whether something has happened, on whichever thread.
final class AnswerFlag: Sendable {
    private let state = Mutex(false)

    var isRaised: Bool { state.withLock { $0 } }

    func raise() { state.withLock { $0 = true } }
}
