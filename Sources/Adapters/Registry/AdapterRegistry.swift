public import Kernels
internal import Synchronization
public import Transformer

/// The adapters of one base, by name: load, unload, merge, list and lease at run time.
///
/// All state is behind one lock, which is never held while files are read or weights are merged.
/// An adapter's identity is its content: loading a name again re-points it, so that new leases get
/// the new content while leases in flight keep the old.
public final class AdapterRegistry: Sendable {
    public let base: BaseModel
    public let options: AdapterOptions
    private let pool: WorkerPool
    private let state: Mutex<RegistryState>

    /// - Parameter pool: used for reading and merging, on the caller's thread; not to be shared with
    ///   a running forward pass. Nil: one thread.
    public init(
        base: BaseModel, options: AdapterOptions = AdapterOptions(), pool: WorkerPool? = nil
    ) {
        self.base = base
        self.options = options
        self.pool = pool ?? WorkerPool(threadCount: 1)
        state = Mutex(RegistryState(slots: base.slots))
    }

    /// Reads an adapter and gives it this name; a name in use is re-pointed to the new content.
    ///
    /// - Throws: `AdapterError`; the registry is then as before.
    @discardableResult
    public func load(name: String, path: String) throws(AdapterError) -> AdapterListing {
        try AdapterName.check(name)
        let adapter = try AdapterReader.read(
            name: name, path: path, slots: base.slots, base: base, options: options, pool: pool)
        return state.withLock { $0.insert(adapter, name: name) }
    }

    /// Refuses new requests for the name at once; returns when the last lease of it is released.
    ///
    /// - Throws: `AdapterError.unknownAdapter`.
    public func unload(name: String) async throws(AdapterError) {
        let removed = try locked { (state) throws(AdapterError) in try state.remove(name) }
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { $0.wait(for: removed, continuation) }
            if isIdle { continuation.resume() }
        }
    }

    /// Computes merged matrices beside the base; requests that name exactly this adapter at exactly
    /// this weight are then answered from them. A merge at another weight takes the place of an
    /// earlier one.
    ///
    /// - Throws: `AdapterError.merge` and others; nothing is changed then.
    @discardableResult
    public func merge(name: String, weight: Float = 1) throws(AdapterError) -> AdapterListing {
        try AdapterName.check(weight: weight, of: name)
        let adapter = try locked { (state) throws(AdapterError) in try state.adapter(name) }
        let merged: AdapterOperators
        do {
            merged = try adapter.operators.merged(
                name: name, into: base, weight: weight, pool: pool)
        } catch { throw .merge(error) }
        return try locked { (state) throws(AdapterError) in
            try state.setMerged(merged, weight: weight, of: adapter, name: name)
        }
    }

    /// Drops the merged matrices; requests are answered with the adapter attached again.
    ///
    /// - Throws: `AdapterError.unknownAdapter`, `.notMerged`.
    @discardableResult
    public func unmerge(name: String) throws(AdapterError) -> AdapterListing {
        try locked { (state) throws(AdapterError) in try state.dropMerged(name) }
    }

    /// Every adapter, sorted by name.
    public func list() -> [AdapterListing] {
        state.withLock { $0.listings }
    }

    /// Resolves a selection and holds its adapters until the lease is released; `[]` is the base.
    ///
    /// - Throws: `AdapterError`: an unknown or repeated name, a weight out of range, or adapters
    ///   that can't be combined.
    public func lease(_ selection: [SelectionEntry]) throws(AdapterError) -> SelectionLease {
        let sorted = selection.sorted { $0.name < $1.name }
        for entry in sorted { try AdapterName.check(weight: entry.weight, of: entry.name) }
        for (first, second) in zip(sorted, sorted.dropFirst()) where first.name == second.name {
            throw .repeatedSelection(first.name)
        }
        let grant = try locked { (state) throws(AdapterError) in try state.grant(sorted) }
        return SelectionLease(
            plan: grant.plan, entries: grant.entries, key: grant.key, holds: grant.holds,
            registry: self)
    }

    func release(key: String, holds: [LeaseHold]) {
        let released = state.withLock { $0.release(key: key, holds: holds) }
        for continuation in released.waiters { continuation.resume() }
        // `released` goes here, outside the lock: freeing an adapter's memory takes time.
    }

    func addTokens(_ count: Int, holds: [LeaseHold]) {
        state.withLock { $0.addTokens(count, holds: holds) }
    }

    /// Leases and plans that exist now; both are zero when nothing is in flight.
    package var liveCounts: (leases: Int, plans: Int) {
        state.withLock { ($0.leaseCount, $0.planCount) }
    }

    private func locked<Result: Sendable>(
        _ body: (inout sending RegistryState) throws(AdapterError) -> Result
    ) throws(AdapterError) -> Result {
        let result: Swift.Result<Result, AdapterError> = state.withLock { state in
            do throws(AdapterError) { return .success(try body(&state)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}
