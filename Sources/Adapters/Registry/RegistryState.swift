internal import StrictJSON
import Transformer

/// Everything the registry knows; pure decisions, no files, no waiting.
struct RegistryState: Sendable {
    /// Merged matrices of an adapter, and the weight that they mean.
    struct Merged: Sendable {
        let weight: Float
        let operators: AdapterOperators
    }

    /// What a name stands for now.
    struct Entry: Sendable {
        var facts: AdapterFacts
        var origin: AdapterOrigin
        /// Nil while the adapter is idle.
        var adapter: LoadedAdapter?
        let life: UInt64
        /// A new number for every content that a name gets.
        var version: UInt64
        var merged: Merged?
        /// Requests that hold it or wait for it: it isn't dropped meanwhile.
        var inUseCount = 0
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

    /// What a change sets free: dropped and called by the caller, outside the lock.
    struct Released: Sendable {
        var waiters: [@Sendable () -> Void] = []
        var plan: AdapterPlan?
        var adapters: [LoadedAdapter] = []
    }

    let slots: SlotTable
    let basePlan: AdapterPlan
    let byteCountLimit: Int?
    var entries: [String: Entry] = [:]
    var departing: [UInt64: Departing] = [:]
    var plans: [String: SharedPlan] = [:]
    var leaseCount = 0
    var residentByteCount = 0
    var loadCount = 0
    var dropCount = 0
    private var counter: UInt64 = 0

    /// - Parameter byteCountLimit: bytes of packed adapters beyond which idle ones are dropped.
    init(slots: SlotTable, byteCountLimit: Int? = nil) {
        self.slots = slots
        self.byteCountLimit = byteCountLimit
        basePlan = AdapterPlan.base(slots)
    }

    var planCount: Int { plans.count }

    var listings: [AdapterListing] {
        entries.sorted { $0.key < $1.key }.map { Self.listing($0.key, $0.value) }
    }

    /// A number that was never given out before.
    mutating func nextNumber() -> UInt64 {
        counter += 1
        return counter
    }
}

// MARK: Names

extension RegistryState {
    /// Gives a name to content that was read. Content that is already there under this name stays as
    /// it is, merged matrices included.
    mutating func insert(
        _ adapter: LoadedAdapter, name: String, origin: AdapterOrigin
    ) -> (listing: AdapterListing, released: Released) {
        loadCount += 1
        var released = Released()
        if entries[name]?.facts.hash == adapter.hash {
            entries[name]!.origin = origin
            put(adapter, at: name, &released)
        } else {
            setContent(AdapterFacts(adapter), origin: origin, name: name, &released)
            put(adapter, at: name, &released)
        }
        released.adapters += trim()
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
        guard var entry = entries[name] else {
            entries[name] = Entry(
                facts: facts, origin: origin, life: nextNumber(), version: version)
            return
        }
        if let old = drop(name) { released.adapters.append(old) }
        entry.adapter = nil
        entry.facts = facts
        entry.origin = origin
        entry.version = version
        entry.merged = nil
        entries[name] = entry
    }

    /// Forgets the name; its leases are counted on until `wait(for:_:)` is answered.
    mutating func remove(_ name: String) throws(AdapterError) -> (life: UInt64, released: Released)
    {
        let entry = try entry(name)
        var released = Released()
        if let adapter = drop(name) { released.adapters.append(adapter) }
        entries[name] = nil
        if entry.inUseCount > 0 { departing[entry.life] = Departing(inUseCount: entry.inUseCount) }
        return (entry.life, released)
    }

    /// True when nothing holds that life of the name; otherwise the waiter is called with the last
    /// release.
    mutating func wait(for life: UInt64, _ waiter: @escaping @Sendable () -> Void) -> Bool {
        guard departing[life] != nil else { return true }
        departing[life]?.waiters.append(waiter)
        return false
    }

    mutating func setMerged(
        _ operators: AdapterOperators, weight: Float, version: UInt64, name: String
    ) throws(AdapterError) -> AdapterListing {
        guard var entry = entries[name], entry.version == version else {
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

    func entry(_ name: String) throws(AdapterError) -> Entry {
        guard let index = entries.index(forKey: name) else {
            throw .unknownAdapter(name, loaded: entries.keys.sorted())
        }
        guard ExactText(entries[index].key) == ExactText(name) else {
            throw .unknownSpelling(name)
        }
        return entries[index].value
    }

    /// Names are compared by their bytes, but two that look the same would be taken for each other.
    ///
    /// - Throws: `AdapterError.invalidName` where Unicode alone tells the name from one that is there.
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
