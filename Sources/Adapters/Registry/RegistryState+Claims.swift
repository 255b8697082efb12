import Transformer

/// What a name means to a request: the content that it had when the request was accepted.
struct SelectionClaim: Sendable, Equatable {
    let selected: SelectionEntry
    /// Of the content.
    let version: UInt64
}

// Content that names have left, while requests that were accepted for it have no lease yet: an
// entry of its own, which no name finds. It may be dropped and come back like any other.
extension RegistryState {
    /// Has names mean to a request what they mean now, until ``endClaims(_:_:)``.
    ///
    /// - Throws: `AdapterError.unknownAdapter`, `.unknownSpelling`.
    mutating func claim(
        _ selection: [SelectionEntry]
    ) throws(AdapterError) -> [SelectionClaim] {
        var claims: [SelectionClaim] = []
        for selected in selection {
            guard !former.contains(selected.name) else {
                throw .unknownAdapter(selected.name, loaded: names)
            }
            claims.append(
                SelectionClaim(selected: selected, version: try entry(selected.name).version))
        }
        for selected in selection { entries[selected.name]!.claimCount += 1 }
        return claims
    }

    /// The request has its lease, or is answered otherwise.
    mutating func endClaims(_ claims: [SelectionClaim], _ released: inout Released) {
        for claim in claims {
            let key = key(of: claim)
            entries[key]!.claimCount -= 1
            forgetUnclaimed(key, &released)
        }
    }

    /// Of the entry with a claim's content, which is there as long as the claim is.
    func key(of claim: SelectionClaim) -> String {
        key(claim.selected.name, version: claim.version)!
    }

    /// Of the entry with content that a name has or had; nil where nothing has it any more.
    func key(_ name: String, version: UInt64) -> String? {
        if entries[name]?.version == version { return name }
        let key = Self.formerKey(name, version)
        return former.contains(key) ? key : nil
    }

    /// No adapter can have it as its name.
    private static func formerKey(_ name: String, _ version: UInt64) -> String {
        "\(name)\0\(version)"
    }

    /// Contents that a name had in one of its lives, and that requests wait for.
    func formerCount(of life: UInt64) -> Int {
        former.count { entries[$0]?.life == life }
    }

    /// The name is about to lose its content, which stays for those who claim it. Merged matrices
    /// don't: it answers without them too.
    mutating func keepForClaims(_ name: String) {
        let entry = entries[name]!
        let key = Self.formerKey(name, entry.version)
        var kept = Entry(
            facts: entry.facts, origin: entry.origin, life: entry.life, version: entry.version)
        kept.claimCount = entry.claimCount
        kept.reading = entry.reading
        entries[name]!.reading = nil
        entries[name]!.claimCount = 0
        kept.adapter = entry.adapter
        kept.charge = entry.charge
        if let charge = entry.charge, !ledger.isHeldOnce(charge) {
            kept.isHeldByEarlierLeases = true
            kept.inUseCount = 1
        }
        if let adapter = entry.adapter {
            if entry.inUseCount == 0 { idleByteCount -= adapter.byteCount }
            entries[name]!.adapter = nil
            entries[name]!.charge = nil
        }
        former.insert(key)
        entries[key] = kept
        if kept.adapter != nil, kept.inUseCount == 0 { setIdle(key) }
    }

    /// Lets go of content that its name has left and nobody waits for any more.
    mutating func forgetUnclaimed(_ key: String, _ released: inout Released) {
        guard former.contains(key), let entry = entries[key], entry.claimCount == 0,
            entry.inUseCount == (entry.isHeldByEarlierLeases ? 1 : 0)
        else { return }
        if let adapter = drop(key) { released.adapters.append(adapter) }
        entries[key] = nil
        former.remove(key)
        depart(entry.life, &released)
    }

    /// What answered a lease is no longer counted for it.
    mutating func closeCharges(of lease: LeaseReturn) {
        for charge in lease.charges { ledger.close(charge) }
        for key in former where entries[key]!.isHeldByEarlierLeases {
            guard let charge = entries[key]!.charge, ledger.isHeldOnce(charge) else { continue }
            entries[key]!.isHeldByEarlierLeases = false
            unpin(key)
        }
    }
}
