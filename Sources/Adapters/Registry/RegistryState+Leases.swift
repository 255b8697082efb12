import Transformer

/// One adapter that a lease holds.
struct LeaseHold: Sendable, Equatable {
    /// Of its entry.
    let key: String
    /// Which life of the name: a new number after each unload, the same when it is re-pointed.
    let life: UInt64
}

/// Adapters that a request keeps from being dropped, and those that must come back first.
struct Reservation: Sendable {
    let claims: [SelectionClaim]
    let holds: [LeaseHold]
    let orders: [LoadOrder]
}

/// What a lease gives back.
struct LeaseReturn: Sendable {
    let key: String
    let holds: [LeaseHold]
    /// Of what answers it, in the ledger.
    let charges: [UInt64]
    /// True where it has a part in a plan of that key.
    var hasPlan = false
}

/// A selection, resolved; all but the plan.
struct SelectionGrant: Sendable {
    let entries: [SelectionLease.Entry]
    let tokenizer: AdapterTokenizer?
    /// The plan, where other leases have it.
    let plan: AdapterPlan?
    /// What it is made of where they don't.
    let parts: [SelectedOperators]
    var lease: LeaseReturn
}

extension RegistryState {
    /// The first half of a lease: from here on none of the adapters is dropped, and there is memory
    /// for those that must be read.
    ///
    /// - Returns: nil where there isn't; nothing is changed then.
    mutating func reserve(
        _ claims: [SelectionClaim], _ released: inout Released
    ) -> Reservation? {
        var needed = 0
        var ownIdleByteCount = 0
        let keys = claims.map { key(of: $0) }
        for key in keys {
            let entry = entries[key]!
            if let adapter = entry.adapter {
                ownIdleByteCount += entry.inUseCount == 0 ? adapter.byteCount : 0
            } else if entry.reading == nil {
                needed += entry.facts.cost.peakByteCount
            }
        }
        if needed > 0, let byteCountLimit,
            ledger.byteCount - idleByteCount + ownIdleByteCount + needed > byteCountLimit
        {
            return nil
        }
        for key in keys { pin(key) }
        _ = makeRoom(needed, &released)
        var orders: [LoadOrder] = []
        for (claim, key) in zip(claims, keys) {
            if let order = order(claim, key) { orders.append(order) }
        }
        return Reservation(
            claims: claims, holds: keys.map { LeaseHold(key: $0, life: entries[$0]!.life) },
            orders: orders)
    }

    /// For an adapter that isn't in memory; one that is being read is waited for.
    private mutating func order(_ claim: SelectionClaim, _ key: String) -> LoadOrder? {
        let entry = entries[key]!
        guard entry.adapter == nil else { return nil }
        let charge = entry.reading ?? nextNumber()
        if entry.reading == nil {
            ledger.open(charge, .work, byteCount: entry.facts.cost.peakByteCount)
            entries[key]!.reading = charge
        }
        return LoadOrder(
            name: claim.selected.name, version: entry.version, origin: entry.origin,
            facts: entry.facts,
            charge: charge)
    }

    /// The second half, when all are in memory.
    ///
    /// - Parameter reservation: sorted by name, no name twice, weights in range.
    /// - Returns: nil where content that its name has left was dropped meanwhile, so that it must
    ///   be reserved anew.
    mutating func grant(_ reservation: Reservation) throws(AdapterError) -> SelectionGrant? {
        let holds = reservation.holds
        var named: [Named] = []
        for claim in reservation.claims {
            let entry = entries[key(of: claim)]!
            guard let adapter = entry.adapter else { return nil }
            named.append(Named(selected: claim.selected, entry: entry, adapter: adapter))
        }
        let tokenizer = try Self.tokenizer(named)
        let merged = mergedMatch(named)
        let charges = named.compactMap { $0.entry.charge } + [merged?.charge].compactMap(\.self)
        for charge in charges { ledger.hold(charge) }
        for hold in holds where entries[hold.key]?.life == hold.life {
            entries[hold.key]!.requestCount += 1
        }
        leaseCount += 1
        var lease = LeaseReturn(
            key: Self.key(named, isMerged: merged != nil), holds: holds, charges: charges)
        let parts = Self.parts(named, merged: merged)
        let plan = parts.isEmpty ? basePlan : share(&lease)
        return SelectionGrant(
            entries: named.map {
                SelectionLease.Entry(
                    name: $0.selected.name, weight: $0.selected.weight, hash: $0.adapter.hash,
                    merged: merged != nil)
            }, tokenizer: tokenizer, plan: plan, parts: plan == nil ? parts : [], lease: lease)
    }

    /// The plan that other leases of the same key have; nil where there is none.
    mutating func share(_ lease: inout LeaseReturn) -> AdapterPlan? {
        guard var shared = plans[lease.key] else { return nil }
        shared.leaseCount += 1
        plans[lease.key] = shared
        lease.hasPlan = true
        return shared.plan
    }

    /// Takes a plan that was made for a lease, unless another lease was faster.
    mutating func share(_ plan: AdapterPlan, _ lease: inout LeaseReturn) -> AdapterPlan {
        if let known = share(&lease) { return known }
        plans[lease.key] = SharedPlan(plan: plan, leaseCount: 1)
        lease.hasPlan = true
        return plan
    }

    /// - Parameter tokenCount: made with it.
    mutating func release(_ lease: LeaseReturn, tokenCount: Int) -> Released {
        leaseCount -= 1
        addTokens(tokenCount, holds: lease.holds)
        closeCharges(of: lease)
        var plan: AdapterPlan?
        if lease.hasPlan, var shared = plans[lease.key] {
            shared.leaseCount -= 1
            plans[lease.key] = shared.leaseCount == 0 ? nil : shared
            if shared.leaseCount == 0 { plan = shared.plan }
        }
        var released = giveBack(lease.holds)
        released.plan = plan
        return released
    }

    /// Ends a lease that nobody got; its reservation stands.
    mutating func takeBack(_ lease: LeaseReturn) -> Released {
        var released = Released()
        leaseCount -= 1
        closeCharges(of: lease)
        for hold in lease.holds where entries[hold.key]?.life == hold.life {
            entries[hold.key]!.requestCount -= 1
        }
        admitWaiting(&released)
        return released
    }

    /// Ends a reservation.
    mutating func giveBack(_ holds: [LeaseHold]) -> Released {
        var released = Released()
        for hold in holds {
            if entries[hold.key]?.life == hold.life {
                unpin(hold.key)
                forgetUnclaimed(hold.key, &released)
            } else {
                depart(hold.life, &released)
            }
        }
        admitWaiting(&released)
        return released
    }

    /// One use less of a life that has ended.
    mutating func depart(_ life: UInt64, _ released: inout Released) {
        guard var left = departing[life] else { return }
        left.inUseCount -= 1
        departing[life] = left.inUseCount == 0 ? nil : left
        if left.inUseCount == 0 { released.waiters += left.waiters }
    }

    /// Whether leases that don't hold the one adapter of the selection are in flight.
    func hasCompany(_ selection: [SelectionEntry]) -> Bool {
        guard let entry = selection.first.flatMap({ entries[$0.name] }) else { return false }
        return leaseCount > entry.inUseCount
    }

    private mutating func addTokens(_ count: Int, holds: [LeaseHold]) {
        for hold in holds where entries[hold.key]?.life == hold.life {
            entries[hold.key]!.tokenCount += count
        }
    }

    private struct Named {
        let selected: SelectionEntry
        let entry: Entry
        let adapter: LoadedAdapter
    }

    /// The one tokenizer of a selection's own; nil where the base's stands.
    private static func tokenizer(_ named: [Named]) throws(AdapterError) -> AdapterTokenizer? {
        var own: (name: String, tokenizer: AdapterTokenizer)?
        for one in named {
            guard one.selected.weight != 0, let tokenizer = one.adapter.tokenizer else { continue }
            if let own, own.tokenizer !== tokenizer {
                throw .twoTokenizers(own.name, one.selected.name)
            }
            own = (one.selected.name, tokenizer)
        }
        return own?.tokenizer
    }

    /// The merged matrices that mean the same as the selection: it names that adapter alone.
    private func mergedMatch(_ named: [Named]) -> Merged? {
        guard named.count == 1, let merged = named[0].entry.merged,
            merged.weight == named[0].selected.weight
        else { return nil }
        return merged
    }

    private static func key(_ named: [Named], isMerged: Bool) -> String {
        named.filter { $0.selected.weight != 0 }
            .map { "\($0.adapter.hash):\($0.selected.weight)\(isMerged ? ":merged" : "")" }
            .joined(separator: ",")
    }

    /// The operators that act. At weight 0 an adapter adds nothing, so that it has no part; one
    /// whose operators have a meaning at weight 1 only is left in for the combination to refuse.
    private static func parts(_ named: [Named], merged: Merged?) -> [SelectedOperators] {
        if let merged, merged.weight != 0 {
            return [
                SelectedOperators(
                    name: named[0].selected.name, operators: merged.operators, weight: 1)
            ]
        }
        return named.map {
            SelectedOperators(
                name: $0.selected.name, operators: $0.adapter.operators,
                weight: $0.selected.weight)
        }.filter { $0.weight != 0 || $0.operators.replacesWeights || $0.operators.prefix != nil }
    }
}
