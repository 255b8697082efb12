internal import Synchronization

/// Lets one of many equal log lines through, and then none for a while: clients can cause as many
/// as they like.
final class RareLog: Sendable {
    private static let pause = Duration.seconds(60)
    private let last = Mutex<ContinuousClock.Instant?>(nil)

    func log(_ body: () -> Void) {
        let isDue = last.withLock { last in
            if let last, last.duration(to: .now) < Self.pause { return false }
            last = .now
            return true
        }
        if isDue { body() }
    }
}
