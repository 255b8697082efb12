// Which adapters are in memory.
extension RegistryState {
    var memory: AdapterMemory {
        var memory = AdapterMemory()
        memory.byteCount = residentByteCount
        memory.byteCountLimit = byteCountLimit
        memory.residentCount = entries.values.count { $0.adapter != nil }
        memory.idleCount = entries.count - memory.residentCount
        memory.loadCount = loadCount
        memory.dropCount = dropCount
        return memory
    }

    /// An idle adapter is back; nothing happens where its name has got other content meanwhile, or
    /// none.
    ///
    /// - Throws: `AdapterError.changedSinceRegistered` where the content isn't the same.
    mutating func install(
        _ adapter: LoadedAdapter, for order: LoadOrder
    ) throws(AdapterError) -> Released {
        loadCount += 1
        var released = Released()
        guard let entry = entries[order.name], entry.version == order.version else {
            return released
        }
        guard entry.facts.hash.isEmpty || entry.facts.hash == adapter.hash else {
            throw .changedSinceRegistered(name: order.name, path: order.origin.path)
        }
        put(adapter, at: order.name, &released)
        released.adapters += trim()
        return released
    }

    /// Puts operators where the entry has none, or where it has the same content.
    mutating func put(_ adapter: LoadedAdapter, at name: String, _ released: inout Released) {
        // Leases share the instance that is there.
        guard entries[name]!.adapter == nil else { return released.adapters.append(adapter) }
        entries[name]!.adapter = adapter
        entries[name]!.facts = AdapterFacts(adapter)
        entries[name]!.lastUse = nextNumber()
        residentByteCount += adapter.byteCount
    }

    /// Takes the operators out of an entry.
    mutating func drop(_ name: String) -> LoadedAdapter? {
        guard let adapter = entries[name]?.adapter else { return nil }
        entries[name]!.adapter = nil
        residentByteCount -= adapter.byteCount
        return adapter
    }

    /// Drops adapters that nobody holds, the least recently used first, until the rest keeps to the
    /// limit. **Complexity**: O(adapters) for each that goes.
    mutating func trim() -> [LoadedAdapter] {
        guard let byteCountLimit else { return [] }
        var dropped: [LoadedAdapter] = []
        while residentByteCount > byteCountLimit {
            guard let oldest = leastRecentlyUsed, let adapter = drop(oldest) else { break }
            dropCount += 1
            dropped.append(adapter)
        }
        return dropped
    }

    /// Of the adapters in memory that nobody holds. Looks at the entries where they are: copies of a
    /// thousand take longer than reading an adapter.
    private var leastRecentlyUsed: String? {
        var oldest: (index: [String: Entry].Index, lastUse: UInt64)?
        for index in entries.indices {
            let lastUse = entries.values[index].lastUse
            guard lastUse < oldest?.lastUse ?? .max, entries.values[index].inUseCount == 0,
                entries.values[index].adapter != nil
            else { continue }
            oldest = (index, lastUse)
        }
        return oldest.map { entries.keys[$0.index] }
    }
}
