internal import Transformer

extension AdapterRegistry {
    /// Resolves a selection and holds its adapters until the lease is released; `[]` is the base.
    ///
    /// Never waits: where an adapter is idle, it is read on another thread, once for all who ask, and
    /// `completion` is called from there; otherwise before this returns.
    ///
    /// - Parameter completion: called once. Fails with an `AdapterError`: an unknown or repeated name,
    ///   a weight out of range, adapters that can't be combined, or an idle adapter whose files are
    ///   gone or have changed.
    public func lease(
        _ selection: [SelectionEntry],
        completion: @escaping @Sendable (Result<SelectionLease, AdapterError>) -> Void
    ) {
        let sorted: [SelectionEntry]
        let reservation: Reservation
        do throws(AdapterError) {
            sorted = try Self.checked(selection)
            reservation = try reserve(sorted)
        } catch { return completion(.failure(error)) }
        grant(sorted, reservation, completion: completion)
    }

    /// The same for callers that may wait.
    ///
    /// - Throws: `AdapterError`, as above.
    public func lease(_ selection: [SelectionEntry]) throws(AdapterError) -> SelectionLease {
        try waitForOutcome { lease(selection, completion: $0) }
    }

    private func grant(
        _ selection: [SelectionEntry], _ reservation: Reservation,
        completion: @escaping @Sendable (Result<SelectionLease, AdapterError>) -> Void
    ) {
        wake(reservation.orders) { outcome in
            do throws(AdapterError) {
                try outcome.get()
                if let lease = try self.lease(selection, holding: reservation.holds) {
                    self.recordForMerging(selection)
                    return completion(.success(lease))
                }
            } catch {
                self.giveBack(reservation.holds)
                return completion(.failure(error))
            }
            self.giveBack(reservation.holds)
            self.lease(selection, completion: completion)
        }
    }

    /// Nil where a name got other content meanwhile.
    private func lease(
        _ selection: [SelectionEntry], holding holds: [LeaseHold]
    ) throws(AdapterError) -> SelectionLease? {
        let grant = try locked { (state) throws(AdapterError) in
            try state.grant(selection, holds: holds)
        }
        return grant.map {
            SelectionLease(
                plan: $0.plan, entries: $0.entries, key: $0.key, activation: $0.activation,
                tokenizer: $0.tokenizer, holds: $0.holds, registry: self)
        }
    }

    private static func checked(
        _ selection: [SelectionEntry]
    ) throws(AdapterError) -> [SelectionEntry] {
        let sorted = selection.sorted { $0.name < $1.name }
        for entry in sorted { try AdapterName.check(weight: entry.weight, of: entry.name) }
        for (first, second) in zip(sorted, sorted.dropFirst()) where first.name == second.name {
            throw .repeatedSelection(first.name)
        }
        return sorted
    }
}

// MARK: Coming back

extension AdapterRegistry {
    func reserve(_ selection: [SelectionEntry]) throws(AdapterError) -> Reservation {
        try locked { (state) throws(AdapterError) in try state.reserve(selection) }
    }

    /// Calls `completion` when all are in memory, at once where there is nothing to read.
    func wake(_ orders: [LoadOrder], completion: @escaping AdapterLoads.Completion) {
        guard !orders.isEmpty else { return completion(.success(())) }
        let joint = JointOutcome(count: orders.count, completion: completion)
        for order in orders {
            loads.load(
                order, { (order) throws(AdapterError) in try self.bringBack(order) },
                completion: { joint.receive($0) })
        }
    }

    /// Reads an idle adapter again; whatever is not the content that it had is refused.
    private func bringBack(_ order: LoadOrder) throws(AdapterError) {
        if order.facts.hash.isEmpty, try stamps(of: order.origin) != order.origin.stamps {
            throw .changedSinceRegistered(name: order.name, path: order.origin.path)
        }
        let known = readAgain(order)
        let adapter =
            if let known { known } else {
                try read(name: order.name, order.origin)
            }
        let released = try locked { (state) throws(AdapterError) in
            try state.install(adapter, for: order)
        }
        finish(released)
    }

    func giveBack(_ holds: [LeaseHold]) {
        finish(locked { $0.giveBack(holds) })
    }

    func release(key: String, holds: [LeaseHold]) {
        finish(locked { $0.release(key: key, holds: holds) })
    }

    func addTokens(_ count: Int, holds: [LeaseHold]) {
        locked { $0.addTokens(count, holds: holds) }
    }

    /// Calls who waited. What was set free goes with the argument, outside the lock: freeing an
    /// adapter's memory takes time.
    func finish(_ released: RegistryState.Released) {
        for waiter in released.waiters { waiter() }
    }
}
