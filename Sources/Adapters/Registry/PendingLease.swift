internal import Synchronization

/// A lease that was asked for: it is there at once or later, unless it is given up before.
public final class PendingLease: Sendable {
    typealias Completion = @Sendable (Result<SelectionLease, AdapterError>) -> Void

    private enum Phase {
        /// For memory; nothing is held.
        case waiting
        /// Its adapters are held, and those that were idle are being read.
        case reading(Reservation)
        /// The lease is being made.
        case granting(isUnwanted: Bool)
        case ended
    }

    private let registry: AdapterRegistry
    private let completion: Completion
    private let phase = Mutex(Phase.waiting)

    /// - Parameter completion: called once.
    init(registry: AdapterRegistry, completion: @escaping Completion) {
        self.registry = registry
        self.completion = completion
    }

    /// Gives it up: what it waits for goes to others, and its completion is called with
    /// `AdapterError.cancelled` before this returns. Does nothing where it was called already or is
    /// about to be.
    public func cancel() {
        let left = phase.withLock { phase -> Phase in
            defer {
                switch phase {
                case .waiting, .reading: phase = .ended
                case .granting: phase = .granting(isUnwanted: true)
                case .ended: break
                }
            }
            return phase
        }
        switch left {
        case .waiting: registry.withdraw(self)
        case .reading(let reservation): registry.giveUp(reservation)
        case .granting, .ended: return
        }
        completion(.failure(.cancelled))
    }

    /// True once it was given up or has ended.
    var isOver: Bool {
        phase.withLock { if case .ended = $0 { true } else { false } }
    }

    /// Memory is there.
    ///
    /// - Returns: false where it was given up: the reservation is the caller's then.
    func beginReading(_ reservation: Reservation) -> Bool {
        phase.withLock { phase in
            guard case .waiting = phase else { return false }
            phase = .reading(reservation)
            return true
        }
    }

    /// Everything was read, or failed to be.
    ///
    /// - Returns: false where it was given up: nothing is left to do then.
    func beginGranting() -> Bool {
        phase.withLock { phase in
            guard case .reading = phase else { return false }
            phase = .granting(isUnwanted: false)
            return true
        }
    }

    /// It must wait anew.
    ///
    /// - Returns: false where it is wanted no more.
    func beginWaiting() -> Bool {
        phase.withLock { phase in
            guard case .granting(false) = phase else { return false }
            phase = .waiting
            return true
        }
    }

    /// Ends it; does nothing once it was given up.
    func end(_ outcome: Result<SelectionLease, AdapterError>) {
        let isFirst = phase.withLock { phase in
            defer { phase = .ended }
            if case .ended = phase { return false }
            return true
        }
        if isFirst { completion(outcome) }
    }
}
