internal import Transformer

extension AdapterRegistry {
    /// Resolves a selection and holds its adapters until the lease is released; `[]` is the base.
    ///
    /// Never waits: where an adapter is idle, it is read on another thread, once for all who ask,
    /// as soon as there is memory for it, and `completion` is called from there; otherwise before
    /// this returns. Until there is memory, the request holds nothing. It gets what its names stand
    /// for when this is called, though they be given to other content or unloaded meanwhile.
    ///
    /// - Parameter completion: called once. Fails with an `AdapterError`: an unknown or repeated
    ///   name, a weight out of range, adapters that can't be combined or never fit into memory
    ///   together, or an idle adapter whose files are gone or have changed.
    /// - Returns: by which it can be given up before it is there.
    @discardableResult
    public func lease(
        _ selection: [SelectionEntry],
        completion: @escaping @Sendable (Result<SelectionLease, AdapterError>) -> Void
    ) -> PendingLease {
        let pending = PendingLease(registry: self, completion: completion)
        do throws(AdapterError) {
            let sorted = try Self.checked(selection)
            let claims = try locked { (state) throws(AdapterError) in try state.claim(sorted) }
            admit(claims, for: pending)
        } catch { pending.end(.failure(error)) }
        return pending
    }

    /// The same for callers that may wait.
    ///
    /// - Throws: `AdapterError`, as above.
    public func lease(_ selection: [SelectionEntry]) throws(AdapterError) -> SelectionLease {
        try waitForOutcome { _ = lease(selection, completion: $0) }
    }

    private func admit(_ claims: [SelectionClaim], for pending: PendingLease) {
        do throws(AdapterError) {
            let isThere = try admit(.selection(claims), for: pending) { outcome in
                switch outcome {
                case .success(.selection(let reservation)): self.grant(reservation, to: pending)
                case .success(.read): break
                case .failure(let error):
                    self.endClaims(claims)
                    pending.end(.failure(error))
                }
            }
            // It may have been given up before it stood in the queue.
            if !isThere, pending.isOver { withdraw(pending) }
        } catch {
            endClaims(claims)
            pending.end(.failure(error))
        }
    }

    private func grant(_ reservation: Reservation, to pending: PendingLease) {
        guard pending.beginReading(reservation) else {
            abandon(reservation)
            return endClaims(reservation.claims)
        }
        wake(reservation.orders) { outcome in
            guard pending.beginGranting() else { return }
            do throws(AdapterError) {
                try outcome.get()
                if let lease = try self.lease(reservation) {
                    self.endClaims(reservation.claims)
                    self.recordForMerging(reservation.claims.map(\.selected))
                    return pending.end(.success(lease))
                }
            } catch {
                self.abandon(reservation)
                self.endClaims(reservation.claims)
                return pending.end(.failure(error))
            }
            self.abandon(reservation)
            guard pending.beginWaiting() else {
                self.endClaims(reservation.claims)
                return pending.end(.failure(.cancelled))
            }
            self.admit(reservation.claims, for: pending)
        }
    }

    /// What waits for memory doesn't any more; nothing happens where it doesn't wait.
    func withdraw(_ pending: PendingLease) {
        finish(
            locked { state in
                var released = RegistryState.Released()
                if case .selection(let claims)? = state.queue.remove(pending)?.need {
                    state.endClaims(claims, &released)
                    state.admitWaiting(&released)
                }
                return released
            })
    }

    /// Ends a reservation whose adapters may still be read: who else waits for them gets them.
    func giveUp(_ reservation: Reservation) {
        giveBack(reservation.holds)
        endClaims(reservation.claims)
    }

    func endClaims(_ claims: [SelectionClaim]) {
        guard !claims.isEmpty else { return }
        finish(
            locked { state in
                var released = RegistryState.Released()
                state.endClaims(claims, &released)
                if !released.isEmpty { state.admitWaiting(&released) }
                return released
            })
    }

    /// Nil where content was dropped meanwhile. When this throws, nothing but the reservation is
    /// left.
    private func lease(_ reservation: Reservation) throws(AdapterError) -> SelectionLease? {
        let granted = try locked { (state) throws(AdapterError) in try state.grant(reservation) }
        guard var grant = granted else { return nil }
        let plan = try plan(of: &grant)
        let key = grant.lease.key
        return SelectionLease(
            grant, plan: plan,
            activation: plan.activation.map {
                PlanActivation(
                    tokens: $0, earlierPlan: plan.earlier ?? basePlan,
                    earlierKey: plan.earlier == nil ? "" : "\(key):before")
            }, registry: self)
    }

    /// The plan of a grant, made outside the lock where no other lease has it.
    private func plan(of grant: inout SelectionGrant) throws(AdapterError) -> AdapterPlan {
        if let plan = grant.plan { return plan }
        let made: AdapterPlan
        do { made = try AdapterPlan(grant.parts, slots: base.slots) } catch {
            let lease = grant.lease
            finish(locked { $0.takeBack(lease) })
            throw .combination(error)
        }
        let (plan, lease) = locked { [lease = grant.lease] state in
            var lease = lease
            return (state.share(made, &lease), lease)
        }
        grant.lease = lease
        return plan
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
    /// Calls `completion` when there is memory: at once, or later from another thread.
    ///
    /// - Returns: whether it was called.
    /// - Throws: `AdapterError.memoryExceeded`; `completion` isn't called then.
    @discardableResult
    func admit(
        _ need: MemoryQueue.Need, for lease: PendingLease? = nil,
        completion: @escaping @Sendable (Result<Admission, AdapterError>) -> Void
    ) throws(AdapterError) -> Bool {
        let waiter = MemoryQueue.Waiter(need: need, lease: lease, resume: completion)
        let (admission, released) = try locked { (state) throws(AdapterError) in
            var released = RegistryState.Released()
            return (try state.admit(waiter, &released), released)
        }
        finish(released)
        if let admission { completion(.success(admission)) }
        return admission != nil
    }

    /// Waits on this thread until there is memory.
    ///
    /// - Throws: as above.
    func waitForAdmission(of need: MemoryQueue.Need) throws(AdapterError) -> Admission {
        try waitForOutcome { (completion) in
            do throws(AdapterError) { try admit(need, completion: completion) } catch {
                completion(.failure(error))
            }
        }
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

    /// Reads an idle adapter again; whatever is not the content that it had is refused. Does
    /// nothing where it is wanted no more.
    private func bringBack(_ order: LoadOrder) throws(AdapterError) {
        defer { finish(locked { $0.endedReading(order) }) }
        guard locked({ $0.isWanted(order) }) else { return }
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

    /// Ends a reservation of which nothing came.
    func abandon(_ reservation: Reservation) {
        finish(
            locked { state in
                for order in reservation.orders { state.endReading(order) }
                return state.giveBack(reservation.holds)
            })
    }

    func giveBack(_ holds: [LeaseHold]) {
        finish(locked { $0.giveBack(holds) })
    }

    func release(_ lease: LeaseReturn, tokenCount: Int) {
        finish(locked { $0.release(lease, tokenCount: tokenCount) })
    }

    /// Calls who waited for leases to end. What was set free, and what has got memory, goes to
    /// another thread: freeing takes time, and whoever ends a request has others to see to.
    func finish(_ released: RegistryState.Released) {
        for waiter in released.waiters { waiter() }
        guard !released.isEmpty else { return }
        loads.perform {
            for resumed in released.resumed { resumed.waiter.resume(resumed.outcome) }
        }
    }
}
