public import Kernels
internal import Synchronization
public import Transformer

/// The adapters of one base, by name: load, unload, merge, list and lease at run time.
///
/// All state is behind one lock, which is never held while files are read or weights are merged.
/// An adapter's identity is its content: loading a name again re-points it, so that new leases get
/// the new content while leases in flight keep the old.
///
/// An adapter is resident, its operators packed in memory, or idle: then its path and identity are
/// all that is kept, and the next lease brings the same content back or is refused.
///
/// What adapters take in memory is reserved before anything is read or merged, and never exceeds
/// the bound. What can't fit is refused, what could waits, in turn.
public final class AdapterRegistry: Sendable {
    /// How much memory adapters may take, and whether traffic merges them.
    public struct Settings: Sendable {
        /// Bytes that adapters may take in all: packed, merged, and while they are read or merged;
        /// nil: no bound. Idle ones make room for others, the least recently used first; those in
        /// use never do.
        public var memoryByteCountLimit: Int?
        /// The share of recent requests, above 0 up to 1, from which on an adapter is merged by
        /// itself; nil: never.
        public var mergeShare: Double?
        /// Whether it is merged only while that costs less than it saves, as far as bytes tell.
        public var mergesOnlyWhatPays: Bool
        /// Called when an adapter that traffic asked to merge can't be; it is served attached then.
        public var onMergeFailure: @Sendable (SelectionEntry, AdapterError) -> Void
        /// Called with its path before an adapter's files are looked at or read, by the thread that
        /// does so: tests hold it there.
        package var willRead: @Sendable (String) -> Void = { _ in }

        public init(
            memoryByteCountLimit: Int? = nil, mergeShare: Double? = nil,
            mergesOnlyWhatPays: Bool = false,
            onMergeFailure: @escaping @Sendable (SelectionEntry, AdapterError) -> Void = { _, _ in }
        ) {
            self.memoryByteCountLimit = memoryByteCountLimit
            self.mergeShare = mergeShare
            self.mergesOnlyWhatPays = mergesOnlyWhatPays
            self.onMergeFailure = onMergeFailure
        }
    }

    public let base: BaseModel
    public let options: AdapterOptions
    let pool: WorkerPool
    let basePlan: AdapterPlan
    private let shelf: TokenizerShelf
    let loads = AdapterLoads()
    private let recipes = CheckedRecipes()
    private let layouts = ProductLayouts()
    private let buffers = ReadBuffers()
    let mergePolicy: LockedMergePolicy?
    let onMergeFailure: @Sendable (SelectionEntry, AdapterError) -> Void
    private let willRead: @Sendable (String) -> Void
    private let state: Mutex<RegistryState>

    /// - Parameter pool: used for reading and merging, on the caller's thread; not to be shared
    ///   with a running forward pass. Nil: one thread.
    public init(
        base: BaseModel, options: AdapterOptions = AdapterOptions(), pool: WorkerPool? = nil,
        settings: Settings = Settings()
    ) {
        self.base = base
        self.options = options
        shelf = TokenizerShelf(base: base.tokenizer)
        self.pool = pool ?? WorkerPool(threadCount: 1)
        mergePolicy = settings.mergeShare.map {
            LockedMergePolicy(
                HotMergePolicy(.init(share: $0, weighsCosts: settings.mergesOnlyWhatPays)))
        }
        onMergeFailure = settings.onMergeFailure
        willRead = settings.willRead
        let state = RegistryState(
            slots: base.slots, byteCountLimit: settings.memoryByteCountLimit)
        basePlan = state.basePlan
        self.state = Mutex(state)
    }

    /// Refuses new requests for the name at once.
    ///
    /// - Parameter completion: called once, when the last lease of it is released.
    public func unload(
        name: String, completion: @escaping @Sendable (Result<Void, AdapterError>) -> Void
    ) {
        let life: UInt64
        do throws(AdapterError) {
            let removed = try locked { (state) throws(AdapterError) in try state.remove(name) }
            finish(removed.released)
            life = removed.life
        } catch { return completion(.failure(error)) }
        let isIdle = locked { $0.wait(for: life) { completion(.success(())) } }
        if isIdle { completion(.success(())) }
    }

    /// Refuses new requests for the name at once; returns when the last lease of it is released.
    ///
    /// - Throws: `AdapterError.unknownAdapter`.
    public func unload(name: String) async throws(AdapterError) {
        let outcome = await withCheckedContinuation { continuation in
            unload(name: name) { continuation.resume(returning: $0) }
        }
        try outcome.get()
    }

    /// Every adapter, sorted by name.
    public func list() -> [AdapterListing] { locked { $0.listings } }

    /// The most layers that a sequence goes through under any of them, or under the base.
    public var largestLayerCount: Int {
        locked { state in
            state.entries.values.compactMap(\.facts.layerCount)
                .reduce(state.slots.layerCount, max)
        }
    }

    /// What adapters hold in memory now.
    public var memory: AdapterMemory {
        var memory = locked { $0.memory }
        (memory.tokenizerCount, memory.tokenizerByteCount) = shelf.usage
        return memory
    }

    /// The adapter of a name while it is in memory.
    package func resident(_ name: String) -> LoadedAdapter? {
        locked { $0.entries[name]?.adapter }
    }

    /// Drops all that nobody holds, as memory for others would.
    package func dropIdle() { finish(locked { $0.dropIdle() }) }

    /// Leases and plans that exist now; both are zero when nothing is in flight.
    package var liveCounts: (leases: Int, plans: Int) {
        locked { ($0.leaseCount, $0.planCount) }
    }

    func read(name: String, _ origin: AdapterOrigin) throws(AdapterError) -> LoadedAdapter {
        willRead(origin.path)
        return try AdapterReader.read(
            name: name, path: origin.path, base: base, options: options(origin), pool: pool,
            shelf: shelf, layouts: layouts)
    }

    /// What is known of an adapter once it was checked; nil where only reading its values tells.
    func check(
        _ file: AdapterFile, cost: LoadCost, _ origin: AdapterOrigin
    ) throws(AdapterError) -> AdapterFacts? {
        willRead(origin.path)
        return try AdapterReader.check(
            file, cost: cost, path: origin.path, base: base, options: options(origin), pool: pool,
            recipes: recipes, layouts: layouts)
    }

    func checkValues(
        recipe: String, cost: LoadCost, _ origin: AdapterOrigin
    ) throws(AdapterError) -> AdapterFacts {
        willRead(origin.path)
        return try AdapterReader.checkValues(
            recipe: recipe, cost: cost, path: origin.path, base: base, options: options(origin),
            pool: pool,
            recipes: recipes, layouts: layouts)
    }

    /// Nil for an adapter that must be read as if nothing were known of it.
    func readAgain(_ order: LoadOrder) -> LoadedAdapter? {
        willRead(order.origin.path)
        return AdapterReader.read(
            order, base: base, options: options(order.origin), pool: pool, buffers: buffers,
            shelf: shelf)
    }

    func stamps(of origin: AdapterOrigin) throws(AdapterError) -> [FileStamp] {
        willRead(origin.path)
        return try AdapterFile.stamps(of: origin.path, options: options(origin))
    }

    /// How an adapter's files are read: a client's, inside the client's directory.
    func options(_ origin: AdapterOrigin) -> AdapterOptions {
        var options = options
        options.root = origin.root ?? options.root
        return options
    }

    func locked<Result: Sendable>(_ body: (inout sending RegistryState) -> Result) -> Result {
        state.withLock { body(&$0) }
    }

    func locked<Result: Sendable>(
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

/// The policy behind a lock of its own, which is held for counting only.
final class LockedMergePolicy: Sendable {
    private let policy: Mutex<HotMergePolicy>

    init(_ policy: HotMergePolicy) { self.policy = Mutex(policy) }

    func withLock<Result: Sendable>(
        _ body: (inout sending HotMergePolicy) -> Result
    ) -> Result {
        policy.withLock { body(&$0) }
    }
}
