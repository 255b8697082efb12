import Transformer

/// One adapter that a lease holds.
struct LeaseHold: Sendable, Equatable {
    let name: String
    /// Which life of the name: a new number after each unload, the same when it is re-pointed.
    let life: UInt64
}

/// Adapters that a request keeps from being dropped, and those that must come back first.
struct Reservation: Sendable {
    let holds: [LeaseHold]
    let orders: [LoadOrder]
}

/// A selection, resolved.
struct SelectionGrant: Sendable {
    let plan: AdapterPlan
    let entries: [SelectionLease.Entry]
    let key: String
    let activation: PlanActivation?
    let tokenizer: AdapterTokenizer?
    let holds: [LeaseHold]
}

extension RegistryState {
    /// The first half of a lease: from here on none of the adapters is dropped.
    ///
    /// - Throws: `AdapterError.unknownAdapter`.
    mutating func reserve(_ selection: [SelectionEntry]) throws(AdapterError) -> Reservation {
        var holds: [LeaseHold] = []
        var orders: [LoadOrder] = []
        for selected in selection {
            let entry = try entry(selected.name)
            holds.append(LeaseHold(name: selected.name, life: entry.life))
            guard entry.adapter == nil else { continue }
            orders.append(
                LoadOrder(
                    name: selected.name, version: entry.version, origin: entry.origin,
                    facts: entry.facts))
        }
        for hold in holds {
            entries[hold.name]!.inUseCount += 1
            entries[hold.name]!.lastUse = nextNumber()
        }
        return Reservation(holds: holds, orders: orders)
    }

    /// The second half, when all are in memory.
    ///
    /// - Parameter selection: sorted by name, no name twice, weights in range.
    /// - Returns: nil where a name got other content meanwhile, or another life, so that the selection
    ///   must be reserved anew.
    mutating func grant(
        _ selection: [SelectionEntry], holds: [LeaseHold]
    ) throws(AdapterError) -> SelectionGrant? {
        var named: [Named] = []
        for (selected, hold) in zip(selection, holds) {
            let entry = try entry(selected.name)
            guard entry.life == hold.life, let adapter = entry.adapter else { return nil }
            named.append(Named(selected: selected, entry: entry, adapter: adapter))
        }
        let tokenizer = try Self.tokenizer(named)
        let merged = mergedMatch(named)
        let key = Self.key(named, isMerged: merged != nil)
        let plan = try plan(key) { () throws(AdapterError) in
            Self.parts(named, merged: merged)
        }
        for selected in selection { entries[selected.name]!.requestCount += 1 }
        leaseCount += 1
        return SelectionGrant(
            plan: plan,
            entries: named.map {
                SelectionLease.Entry(
                    name: $0.selected.name, weight: $0.selected.weight, hash: $0.adapter.hash,
                    merged: merged != nil)
            }, key: key,
            activation: plan.activation.map {
                PlanActivation(
                    tokens: $0, earlierPlan: plan.earlier ?? basePlan,
                    earlierKey: plan.earlier == nil ? "" : "\(key):before")
            }, tokenizer: tokenizer, holds: holds)
    }

    mutating func release(key: String, holds: [LeaseHold]) -> Released {
        leaseCount -= 1
        var released = giveBack(holds)
        if var shared = plans[key] {
            shared.leaseCount -= 1
            plans[key] = shared.leaseCount == 0 ? nil : shared
            if shared.leaseCount == 0 { released.plan = shared.plan }
        }
        return released
    }

    /// Ends a reservation.
    mutating func giveBack(_ holds: [LeaseHold]) -> Released {
        var released = Released()
        for hold in holds {
            if entries[hold.name]?.life == hold.life {
                entries[hold.name]!.inUseCount -= 1
            } else if var left = departing[hold.life] {
                left.inUseCount -= 1
                departing[hold.life] = left.inUseCount == 0 ? nil : left
                if left.inUseCount == 0 { released.waiters += left.waiters }
            }
        }
        released.adapters = trim()
        return released
    }

    /// Whether leases that don't hold the one adapter of the selection are in flight.
    func hasCompany(_ selection: [SelectionEntry]) -> Bool {
        guard let entry = selection.first.flatMap({ entries[$0.name] }) else { return false }
        return leaseCount > entry.inUseCount
    }

    mutating func addTokens(_ count: Int, holds: [LeaseHold]) {
        for hold in holds where entries[hold.name]?.life == hold.life {
            entries[hold.name]!.tokenCount += count
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

    /// The operators that act. At weight 0 an adapter adds nothing, so that it has no part; one whose
    /// operators have a meaning at weight 1 only is left in for the combination to refuse.
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

    private mutating func plan(
        _ key: String, parts: () throws(AdapterError) -> [SelectedOperators]
    ) throws(AdapterError) -> AdapterPlan {
        let parts = try parts()
        guard !parts.isEmpty else { return basePlan }
        if var shared = plans[key] {
            shared.leaseCount += 1
            plans[key] = shared
            return shared.plan
        }
        do {
            let plan = try AdapterPlan(parts, slots: slots)
            plans[key] = SharedPlan(plan: plan, leaseCount: 1)
            return plan
        } catch { throw .combination(error) }
    }
}
