internal import StrictJSON
import Transformer

/// Everything the registry knows; pure decisions, no files, no waiting.
struct RegistryState: Sendable {
    /// Merged matrices of an adapter, and the weight that they mean.
    struct Merged: Sendable {
        let weight: Float
        let operators: AdapterOperators
        /// In the ledger.
        let charge: UInt64
    }

    /// What a name stands for now.
    struct Entry: Sendable {
        var facts: AdapterFacts
        var origin: AdapterOrigin
        /// Nil while the adapter is idle.
        var adapter: LoadedAdapter?
        /// What the adapter takes, in the ledger; nil while it is idle.
        var charge: UInt64?
        /// What reading it takes, while it is read.
        var reading: UInt64?
        let life: UInt64
        /// A new number for every content that a name gets.
        var version: UInt64
        var merged: Merged?
        /// Requests that hold it, or for which it is read: it isn't dropped meanwhile.
        var inUseCount = 0
        /// Requests that were accepted for this content and have no lease yet.
        var claimCount = 0
        /// True for content that its name has left, while leases from before have it: they count as
        /// one use.
        var isHeldByEarlierLeases = false
        var requestCount = 0
        var tokenCount = 0
        /// When it was used last, in uses of all adapters.
        var lastUse: UInt64 = 0
    }

    /// A name that was unloaded while leases held it.
    struct Departing: Sendable {
        var inUseCount: Int
        var waiters: [@Sendable () -> Void] = []
    }

    /// A plan that `leaseCount` leases share.
    struct SharedPlan: Sendable {
        let plan: AdapterPlan
        var leaseCount: Int
    }

    /// Something that has got what it waited for, or can't get it any more.
    struct Resumed: Sendable {
        let waiter: MemoryQueue.Waiter
        let outcome: Result<Admission, AdapterError>
    }

    /// What a change sets free: dropped and called by the caller, outside the lock.
    struct Released: Sendable {
        var waiters: [@Sendable () -> Void] = []
        var plan: AdapterPlan?
        var adapters: [LoadedAdapter] = []
        var merged: [Merged] = []
        var resumed: [Resumed] = []

        /// True where it leaves nothing to do but to call `waiters`.
        var isEmpty: Bool {
            plan == nil && adapters.isEmpty && merged.isEmpty && resumed.isEmpty
        }
    }

    let slots: SlotTable
    let basePlan: AdapterPlan
    /// Bytes that adapters may take in all; nil: no bound.
    let byteCountLimit: Int?
    /// By name; content that its name has left, by ``formerKey(_:_:)``.
    var entries: [String: Entry] = [:]
    /// Keys of content that names have left and requests still wait for.
    var former: Set<String> = []
    /// Of the entries, sorted.
    private(set) var names: [String] = []
    var departing: [UInt64: Departing] = [:]
    var plans: [String: SharedPlan] = [:]
    var leaseCount = 0
    var ledger = MemoryLedger()
    var queue = MemoryQueue()
    var idle = IdleQueue()
    var residentCount = 0
    /// Bytes of adapters in memory that nobody holds.
    var idleByteCount = 0
    var loadCount = 0
    var dropCount = 0
    private var counter: UInt64 = 0

    init(slots: SlotTable, byteCountLimit: Int? = nil) {
        self.slots = slots
        self.byteCountLimit = byteCountLimit
        basePlan = AdapterPlan.base(slots)
    }

    var planCount: Int { plans.count }

    var listings: [AdapterListing] {
        names.compactMap { name in entries[name].map { Self.listing(name, $0) } }
    }

    /// A number that was never given out before.
    mutating func nextNumber() -> UInt64 {
        counter += 1
        return counter
    }
}

// MARK: Names

extension RegistryState {
    /// Gives a name to content that was read. Content that is already there under this name stays
    /// as it is, merged matrices included.
    ///
    /// - Parameter charge: what reading it took.
    mutating func insert(
        _ adapter: LoadedAdapter, cost: LoadCost, name: String, origin: AdapterOrigin,
        charge: UInt64
    ) -> (listing: AdapterListing, released: Released) {
        loadCount += 1
        var released = Released()
        ledger.close(charge)
        if entries[name]?.facts.hash == adapter.hash {
            entries[name]!.origin = origin
        } else {
            setContent(
                AdapterFacts(adapter, cost: cost), origin: origin, name: name, &released)
        }
        put(adapter, at: name, &released)
        admitWaiting(&released)
        return (Self.listing(name, entries[name]!), released)
    }

    /// Gives a name to content whose values are read when they are first asked for.
    mutating func register(
        _ facts: AdapterFacts, name: String, origin: AdapterOrigin
    ) -> (listing: AdapterListing, released: Released) {
        var released = Released()
        setContent(facts, origin: origin, name: name, &released)
        return (Self.listing(name, entries[name]!), released)
    }

    private mutating func setContent(
        _ facts: AdapterFacts, origin: AdapterOrigin, name: String, _ released: inout Released
    ) {
        let version = nextNumber()
        guard entries[name] != nil else {
            entries[name] = Entry(
                facts: facts, origin: origin, life: nextNumber(), version: version)
            return insertName(name)
        }
        takeContent(of: name, &released)
        entries[name]!.facts = facts
        entries[name]!.origin = origin
        entries[name]!.version = version
    }

    /// What a name has in memory goes from it, to the requests that were accepted for it if there
    /// are any; what leases hold stays counted until they end.
    private mutating func takeContent(of name: String, _ released: inout Released) {
        if entries[name]!.claimCount > 0 { keepForClaims(name) }
        if let adapter = drop(name) { released.adapters.append(adapter) }
        // Whoever reads it finds that it is wanted no more, and closes the charge.
        entries[name]!.reading = nil
        if let merged = entries[name]!.merged {
            entries[name]!.merged = nil
            ledger.close(merged.charge)
            released.merged.append(merged)
        }
    }

    private mutating func insertName(_ name: String) {
        names.insert(name, at: place(of: name))
    }

    /// Of the name, or where it would be.
    private func place(of name: String) -> Int {
        var range = names.startIndex..<names.endIndex
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if names[middle] < name {
                range = middle + 1..<range.upperBound
            } else {
                range = range.lowerBound..<middle
            }
        }
        return range.lowerBound
    }

    /// Forgets the name; its leases, and requests that were accepted for it, are counted on until
    /// `wait(for:_:)` is answered.
    mutating func remove(_ name: String) throws(AdapterError) -> (life: UInt64, released: Released)
    {
        let entry = try entry(name)
        var released = Released()
        takeContent(of: name, &released)
        entries[name] = nil
        names.remove(at: place(of: name))
        let useCount = entry.inUseCount + formerCount(of: entry.life)
        if useCount > 0 { departing[entry.life] = Departing(inUseCount: useCount) }
        admitWaiting(&released)
        return (entry.life, released)
    }

    /// True when nothing holds that life of the name; otherwise the waiter is called with the last
    /// release.
    mutating func wait(for life: UInt64, _ waiter: @escaping @Sendable () -> Void) -> Bool {
        guard departing[life] != nil else { return true }
        departing[life]?.waiters.append(waiter)
        return false
    }

    /// - Parameter work: what merging took.
    mutating func setMerged(
        _ operators: AdapterOperators, weight: Float, version: UInt64, name: String, work: UInt64
    ) throws(AdapterError) -> (listing: AdapterListing, released: Released) {
        guard let entry = entries[name], entry.version == version else {
            throw .replacedMeanwhile(name)
        }
        var released = Released()
        if let old = entry.merged {
            ledger.close(old.charge)
            released.merged.append(old)
        }
        ledger.close(work)
        let charge = nextNumber()
        ledger.open(charge, .merge, byteCount: operators.byteCount)
        entries[name]!.merged = Merged(weight: weight, operators: operators, charge: charge)
        return (Self.listing(name, entries[name]!), released)
    }

    mutating func dropMerged(
        _ name: String
    ) throws(AdapterError) -> (listing: AdapterListing, released: Released) {
        guard let merged = try entry(name).merged else { throw .notMerged(name) }
        var released = Released()
        entries[name]!.merged = nil
        ledger.close(merged.charge)
        released.merged.append(merged)
        admitWaiting(&released)
        return (Self.listing(name, entries[name]!), released)
    }

    func entry(_ name: String) throws(AdapterError) -> Entry {
        guard let index = entries.index(forKey: name) else {
            throw .unknownAdapter(name, loaded: names)
        }
        guard ExactText(entries[index].key) == ExactText(name) else {
            throw .unknownSpelling(name)
        }
        return entries[index].value
    }

    /// Names are compared by their bytes, but two that look the same would be taken for each other.
    ///
    /// - Throws: `AdapterError.invalidName` where Unicode alone tells the name from one that is
    ///   there.
    func checkSpelling(of name: String) throws(AdapterError) {
        guard let index = entries.index(forKey: name),
            ExactText(entries[index].key) != ExactText(name)
        else { return }
        throw .invalidName(
            name,
            reason: "one that looks the same, in other Unicode characters, is loaded: give it as "
                + "that is spelled, or choose another")
    }

    private static func listing(_ name: String, _ entry: Entry) -> AdapterListing {
        AdapterListing(
            name: name, hash: entry.facts.hash, peftType: entry.facts.peftType,
            parameterCount: entry.facts.parameterCount,
            byteCount: (entry.adapter?.byteCount ?? 0) + (entry.merged?.operators.byteCount ?? 0),
            rank: entry.facts.rank, state: state(entry), inUseCount: entry.inUseCount,
            requestCount: entry.requestCount, tokenCount: entry.tokenCount,
            warnings: entry.facts.warnings, targets: entry.facts.targets)
    }

    private static func state(_ entry: Entry) -> AdapterListing.State {
        if let merged = entry.merged { return .merged(weight: merged.weight) }
        return entry.adapter == nil ? .idle : .attached
    }
}
