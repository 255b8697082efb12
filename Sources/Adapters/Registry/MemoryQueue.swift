/// What needs memory before it can go on, in the order in which it came.
///
/// Who waits holds nothing. The first goes on as soon as it fits, and nobody takes memory before
/// it; requests whose adapters are all there overtake it, up to a limit, so that those can't keep
/// it waiting for ever.
struct MemoryQueue: Sendable {
    enum Need: Sendable {
        /// A request's adapters.
        case selection([SelectionClaim])
        /// Reading what is at a path.
        case read(LoadCost, path: String)
    }

    struct Waiter: Sendable {
        let need: Need
        /// The lease that is waited for; nil where nobody gives it up.
        var lease: PendingLease?
        /// Called outside the registry's lock.
        let resume: @Sendable (Result<Admission, AdapterError>) -> Void
    }

    private(set) var waiters: [Waiter] = []
    private var overtakenCount = 0

    var isEmpty: Bool { waiters.isEmpty }

    /// Whether one that needs no memory may go first.
    var allowsOvertaking: Bool {
        waiters.isEmpty || overtakenCount < AdapterLimits.overtakingRequestCount
    }

    mutating func noteOvertaking() {
        if !waiters.isEmpty { overtakenCount += 1 }
    }

    mutating func append(_ waiter: Waiter) { waiters.append(waiter) }

    mutating func removeFirst() -> Waiter {
        overtakenCount = 0
        return waiters.removeFirst()
    }

    /// Takes out what is waited for no more; nil where it doesn't wait.
    mutating func remove(_ lease: PendingLease) -> Waiter? {
        guard let index = waiters.firstIndex(where: { $0.lease === lease }) else { return nil }
        // The one behind it hasn't been overtaken so often.
        return index == 0 ? removeFirst() : waiters.remove(at: index)
    }
}

/// Memory is there.
enum Admission: Sendable {
    /// For a request's adapters, which it holds now.
    case selection(Reservation)
    /// For reading; the charge is closed when it is over.
    case read(charge: UInt64)
}
