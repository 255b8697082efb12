import Transformer

/// One adapter that a lease holds.
struct LeaseHold: Sendable, Equatable {
    let name: String
    /// Which life of the name: a new number after each unload, the same when it is re-pointed.
    let life: UInt64
}

/// A selection, resolved.
struct SelectionGrant: Sendable {
    let plan: AdapterPlan
    let entries: [SelectionLease.Entry]
    let key: String
    let holds: [LeaseHold]
}

/// Everything the registry knows; pure decisions, no files, no waiting.
struct RegistryState: Sendable {
    /// Merged matrices of an adapter, and the weight that they mean.
    struct Merged: Sendable {
        let weight: Float
        let operators: AdapterOperators
    }

    /// What a name stands for now.
    struct Entry: Sendable {
        var adapter: LoadedAdapter
        let life: UInt64
        var merged: Merged?
        var inUseCount = 0
        var requestCount = 0
        var tokenCount = 0
    }

    /// A name that was unloaded while leases held it.
    private struct Departing: Sendable {
        var inUseCount: Int
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    /// A plan that `leaseCount` leases share.
    private struct SharedPlan: Sendable {
        let plan: AdapterPlan
        var leaseCount: Int
    }

    private let slots: SlotTable
    private let basePlan: AdapterPlan
    private var entries: [String: Entry] = [:]
    private var departing: [UInt64: Departing] = [:]
    private var plans: [String: SharedPlan] = [:]
    private var lifeCount: UInt64 = 0
    private(set) var leaseCount = 0

    init(slots: SlotTable) {
        self.slots = slots
        basePlan = AdapterPlan.base(slots)
    }

    var planCount: Int { plans.count }

    var listings: [AdapterListing] {
        entries.sorted { $0.key < $1.key }.map { Self.listing($0.key, $0.value) }
    }
}

// MARK: Names

extension RegistryState {
    /// Content that is already there under this name stays as it is, merged matrices included.
    mutating func insert(_ adapter: LoadedAdapter, name: String) -> AdapterListing {
        if var entry = entries[name] {
            if entry.adapter.hash != adapter.hash {
                entry.adapter = adapter
                entry.merged = nil
                entries[name] = entry
            }
        } else {
            lifeCount += 1
            entries[name] = Entry(adapter: adapter, life: lifeCount)
        }
        return Self.listing(name, entries[name]!)
    }

    func adapter(_ name: String) throws(AdapterError) -> LoadedAdapter {
        try entry(name).adapter
    }

    /// Forgets the name; its leases are counted on until `wait(for:_:)` is answered.
    mutating func remove(_ name: String) throws(AdapterError) -> UInt64 {
        let entry = try entry(name)
        entries[name] = nil
        if entry.inUseCount > 0 { departing[entry.life] = Departing(inUseCount: entry.inUseCount) }
        return entry.life
    }

    /// True when nothing holds that life of the name; otherwise the waiter is resumed with the last
    /// release.
    mutating func wait(for life: UInt64, _ waiter: CheckedContinuation<Void, Never>) -> Bool {
        guard departing[life] != nil else { return true }
        departing[life]?.waiters.append(waiter)
        return false
    }

    mutating func setMerged(
        _ operators: AdapterOperators, weight: Float, of adapter: LoadedAdapter, name: String
    ) throws(AdapterError) -> AdapterListing {
        guard var entry = entries[name], entry.adapter === adapter else {
            throw .replacedMeanwhile(name)
        }
        entry.merged = Merged(weight: weight, operators: operators)
        entries[name] = entry
        return Self.listing(name, entry)
    }

    mutating func dropMerged(_ name: String) throws(AdapterError) -> AdapterListing {
        var entry = try entry(name)
        guard entry.merged != nil else { throw .notMerged(name) }
        entry.merged = nil
        entries[name] = entry
        return Self.listing(name, entry)
    }

    private func entry(_ name: String) throws(AdapterError) -> Entry {
        guard let entry = entries[name] else {
            throw .unknownAdapter(name, loaded: entries.keys.sorted())
        }
        return entry
    }

    private static func listing(_ name: String, _ entry: Entry) -> AdapterListing {
        AdapterListing(
            name: name, hash: entry.adapter.hash, peftType: entry.adapter.peftType,
            parameterCount: entry.adapter.parameterCount,
            byteCount: entry.adapter.byteCount + (entry.merged?.operators.byteCount ?? 0),
            rank: entry.adapter.rank,
            state: entry.merged.map { .merged(weight: $0.weight) } ?? .attached,
            inUseCount: entry.inUseCount, requestCount: entry.requestCount,
            tokenCount: entry.tokenCount, warnings: entry.adapter.warnings,
            targets: entry.adapter.targets)
    }
}

// MARK: Leases

extension RegistryState {
    /// - Parameter selection: sorted by name, no name twice, weights in range.
    mutating func grant(_ selection: [SelectionEntry]) throws(AdapterError) -> SelectionGrant {
        var named: [(selected: SelectionEntry, entry: Entry)] = []
        for selected in selection { named.append((selected, try entry(selected.name))) }
        let merged = mergedMatch(named)
        let key = Self.key(named, isMerged: merged != nil)
        let plan = try plan(key) { () throws(AdapterError) in
            try Self.parts(named, merged: merged)
        }
        for (selected, _) in named {
            entries[selected.name]!.inUseCount += 1
            entries[selected.name]!.requestCount += 1
        }
        leaseCount += 1
        return SelectionGrant(
            plan: plan,
            entries: named.map {
                SelectionLease.Entry(
                    name: $0.selected.name, weight: $0.selected.weight, hash: $0.entry.adapter.hash,
                    merged: merged != nil)
            }, key: key,
            holds: named.map { LeaseHold(name: $0.selected.name, life: $0.entry.life) })
    }

    /// What a release sets free: dropped and resumed by the caller, outside the lock.
    struct Released: Sendable {
        var waiters: [CheckedContinuation<Void, Never>] = []
        var plan: AdapterPlan?
    }

    mutating func release(key: String, holds: [LeaseHold]) -> Released {
        var released = Released()
        leaseCount -= 1
        for hold in holds {
            if entries[hold.name]?.life == hold.life {
                entries[hold.name]!.inUseCount -= 1
            } else if var left = departing[hold.life] {
                left.inUseCount -= 1
                departing[hold.life] = left.inUseCount == 0 ? nil : left
                if left.inUseCount == 0 { released.waiters += left.waiters }
            }
        }
        if var shared = plans[key] {
            shared.leaseCount -= 1
            plans[key] = shared.leaseCount == 0 ? nil : shared
            if shared.leaseCount == 0 { released.plan = shared.plan }
        }
        return released
    }

    mutating func addTokens(_ count: Int, holds: [LeaseHold]) {
        for hold in holds where entries[hold.name]?.life == hold.life {
            entries[hold.name]!.tokenCount += count
        }
    }

    /// The merged matrices that mean the same as the selection: it names that adapter alone.
    private func mergedMatch(_ named: [(selected: SelectionEntry, entry: Entry)]) -> Merged? {
        guard named.count == 1, let merged = named[0].entry.merged,
            merged.weight == named[0].selected.weight
        else { return nil }
        return merged
    }

    private static func key(
        _ named: [(selected: SelectionEntry, entry: Entry)], isMerged: Bool
    ) -> String {
        named.filter { $0.selected.weight != 0 }
            .map { "\($0.entry.adapter.hash):\($0.selected.weight)\(isMerged ? ":merged" : "")" }
            .joined(separator: ",")
    }

    /// The operators that act. At weight 0 an adapter adds nothing, so that it has no part; one whose
    /// operators have a meaning at weight 1 only is left in for the combination to refuse.
    private static func parts(
        _ named: [(selected: SelectionEntry, entry: Entry)], merged: Merged?
    ) throws(AdapterError) -> [SelectedOperators] {
        if let merged, merged.weight != 0 {
            return [
                SelectedOperators(
                    name: named[0].selected.name, operators: merged.operators, weight: 1)
            ]
        }
        return named.map {
            SelectedOperators(
                name: $0.selected.name, operators: $0.entry.adapter.operators,
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
