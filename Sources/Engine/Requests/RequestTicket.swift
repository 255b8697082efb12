/// A place among the requests in flight, taken before anything else is done for a request. It is
/// either submitted with the request or withdrawn, once.
public struct RequestTicket: Sendable, Equatable {
    /// When the request was accepted: timeouts and queue times count from here.
    public let accepted: ContinuousClock.Instant

    public init(accepted: ContinuousClock.Instant) {
        self.accepted = accepted
    }
}
