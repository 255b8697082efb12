internal import Kernels
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
        let claims = try locked { (state) throws(AdapterError) in
            try state.claim([SelectionEntry(name: name)])
        }
        defer { endClaims(claims) }
        let admission = try waitForAdmission(of: .selection(claims))
        guard case .selection(let reservation) = admission else {
            throw .replacedMeanwhile(name)
        }
        defer { abandon(reservation) }
        try waitForOutcome { wake(reservation.orders, completion: $0) }
        let entry = try locked { (state) throws(AdapterError) in try state.entry(name) }
        guard entry.version == claims[0].version, let adapter = entry.adapter else {
            throw .replacedMeanwhile(name)
        }
        let charge = try beginMerging(adapter, name: name)
        defer { finish(locked { $0.closeWork(charge) }) }
        let merged: AdapterOperators
        do {
            merged = try adapter.operators.merged(
                name: name, into: base, weight: weight, pool: pool)
        } catch { throw .merge(error) }
        let (listing, released) = try locked { (state) throws(AdapterError) in
            try state.setMerged(
                merged, weight: weight, version: entry.version, name: name, work: charge)
        }
        finish(released)
        return listing
    }

    /// Memory for the matrices that merging makes, and for one of them in f32. It isn't waited for:
    /// whoever merges holds an adapter.
    ///
    /// - Throws: `AdapterError.memoryExceeded`, `.memoryInUse`.
    private func beginMerging(
        _ adapter: LoadedAdapter, name: String
    ) throws(AdapterError) -> UInt64 {
        let byteCount = adapter.operators.mergedByteCount(on: base)
        let what = "merging adapter '\(name)'"
        let (charge, free, released) = try locked { (state) throws(AdapterError) in
            try state.checkEverFits(byteCount + adapter.byteCount, what: what)
            var released = RegistryState.Released()
            let charge = state.openWork(byteCount, &released)
            return (charge, state.freeByteCount, released)
        }
        finish(released)
        guard let charge else {
            throw .memoryInUse(what: what, byteCount: byteCount, free: free)
        }
        return charge
    }

    /// Drops the merged matrices; requests are answered with the adapter attached again.
    ///
    /// - Throws: `AdapterError.unknownAdapter`, `.notMerged`.
    @discardableResult
    public func unmerge(name: String) throws(AdapterError) -> AdapterListing {
        let (listing, released) = try locked { (state) throws(AdapterError) in
            try state.dropMerged(name)
        }
        finish(released)
        return listing
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
                let merged = locked { $0.entries[entry.name]?.merged?.weight }
                if merged == entry.weight { try unmerge(name: entry.name) }
            }
            return true
        } catch {
            if case .merge(let entry) = decision { onMergeFailure(entry, error) }
            return false
        }
    }
}

extension AdapterOperators {
    /// What merging takes of memory at most: the matrices, and one in f32 while it is computed.
    fileprivate func mergedByteCount(on base: BaseModel) -> Int {
        let vocabularyCount = max(vocabulary?.tokenCount ?? 0, base.slots.vocabularyCount)
        var shapes: [(shape: LinearShape, type: WeightType)] = linear.keys.map { slot in
            let shape = base.slots.shape(of: slot)
            let rowCount = slot == .head ? vocabularyCount : shape.outputCount
            return (
                LinearShape(outputCount: rowCount, inputCount: shape.inputCount),
                base.matrix(at: slot).type
            )
        }
        if !embedding.isEmpty {
            shapes.append(
                (
                    LinearShape(
                        outputCount: vocabularyCount, inputCount: base.slots.hiddenSize),
                    base.weights.embedding.type
                ))
        }
        let largest = shapes.map { 4 * $0.shape.valueCount }.max() ?? 0
        return byteCount + largest
            + shapes.reduce(0) {
                // Blocks become f32.
                let width = $1.type == .bf16 || $1.type == .f16 ? 2 : 4
                return $0 + width * ($1.shape.packedValueCount + $1.shape.outputCount)
            }
    }
}
