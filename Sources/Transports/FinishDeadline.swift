internal import Serving

/// How long clients have to take their last answers: less when the service is aborted, also while
/// they are waited for.
struct FinishDeadline: Sendable {
    static let patience = Duration.seconds(10)
    static let patienceAfterAbort = Duration.seconds(1)
    private static let pause = Duration.milliseconds(50)

    let service: any LineService

    /// Returns when the time is over, or the task is cancelled.
    func wait() async {
        let start = ContinuousClock.now
        while !Task.isCancelled {
            let patience = service.isAborted ? Self.patienceAfterAbort : Self.patience
            if start.duration(to: .now) >= patience { return }
            try? await Task.sleep(for: Self.pause)
        }
    }
}
