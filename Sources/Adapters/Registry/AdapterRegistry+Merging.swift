internal import Transformer

extension AdapterRegistry {
    /// Computes merged matrices beside the base; requests that name exactly this adapter at exactly
    /// this weight are then answered from them. A merge at another weight takes the place of an
    /// earlier one.
    ///
    /// - Throws: `AdapterError.merge` and others; nothing is changed then.
    @discardableResult
    public func merge(name: String, weight: Float = 1) throws(AdapterError) -> AdapterListing {
        try AdapterName.check(weight: weight, of: name)
        let reservation = try reserve([SelectionEntry(name: name)])
        defer { giveBack(reservation.holds) }
        try waitForOutcome { wake(reservation.orders, completion: $0) }
        let entry = try locked { (state) throws(AdapterError) in try state.entry(name) }
        guard let adapter = entry.adapter else { throw .replacedMeanwhile(name) }
        let merged: AdapterOperators
        do {
            merged = try adapter.operators.merged(
                name: name, into: base, weight: weight, pool: pool)
        } catch { throw .merge(error) }
        return try locked { (state) throws(AdapterError) in
            try state.setMerged(merged, weight: weight, version: entry.version, name: name)
        }
    }

    /// Drops the merged matrices; requests are answered with the adapter attached again.
    ///
    /// - Throws: `AdapterError.unknownAdapter`, `.notMerged`.
    @discardableResult
    public func unmerge(name: String) throws(AdapterError) -> AdapterListing {
        try locked { (state) throws(AdapterError) in try state.dropMerged(name) }
    }

    /// Where a name has got other content, its merged matrices are gone: it may be merged anew.
    func forgetMerging(_ listing: AdapterListing) {
        if case .merged = listing.state { return }
        mergePolicy?.withLock { $0.forget(name: listing.name) }
    }

    /// Counts a request for the policy and carries out on another thread what it decides.
    func recordForMerging(_ selection: [SelectionEntry]) {
        guard let mergePolicy else { return }
        let hasCompany = locked { $0.hasCompany(selection) }
        let decision = mergePolicy.withLock { policy in
            policy.record(selection, hasCompany: hasCompany, balance: balance)
        }
        guard decision != .nothing else { return }
        loads.perform {
            let succeeded = self.carryOut(decision)
            mergePolicy.withLock { $0.didCarryOut(decision, succeeded: succeeded) }
        }
    }

    private func balance(_ entry: SelectionEntry) -> MergeBalance? {
        let adapter = locked { $0.entries[entry.name]?.adapter }
        return adapter.map { MergeBalance($0.operators, base: base) }
    }

    private func carryOut(_ decision: HotMergePolicy.Decision) -> Bool {
        do throws(AdapterError) {
            switch decision {
            case .nothing: break
            case .merge(let entry): try merge(name: entry.name, weight: entry.weight)
            case .unmerge(let entry):
                // A client may have merged it anew at another weight: that is not ours to undo.
                let state = list().first { $0.name == entry.name }?.state
                if state == .merged(weight: entry.weight) { try unmerge(name: entry.name) }
            }
            return true
        } catch {
            if case .merge(let entry) = decision { onMergeFailure(entry, error) }
            return false
        }
    }
}
