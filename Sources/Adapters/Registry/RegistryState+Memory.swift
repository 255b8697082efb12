// Which adapters are in memory, and who gets memory next.
extension RegistryState {
    var memory: AdapterMemory {
        var memory = AdapterMemory()
        memory.byteCount = ledger.byteCount
        memory.mergedByteCount = ledger.byteCount(.merge)
        memory.workByteCount = ledger.byteCount(.work)
        memory.byteCountLimit = byteCountLimit
        memory.waitingCount = queue.waiters.count
        let formerCount = former.count { entries[$0]?.adapter != nil }
        memory.residentCount = residentCount - formerCount
        memory.idleCount = names.count - memory.residentCount
        memory.loadCount = loadCount
        memory.dropCount = dropCount
        return memory
    }

    /// An idle adapter is back; nothing happens where neither its name nor a request wants it any
    /// more.
    ///
    /// - Throws: `AdapterError.changedSinceRegistered` where the content isn't the same.
    mutating func install(
        _ adapter: LoadedAdapter, for order: LoadOrder
    ) throws(AdapterError) -> Released {
        loadCount += 1
        var released = Released()
        guard let key = key(order.name, version: order.version), let entry = entries[key] else {
            return released
        }
        guard entry.facts.hash.isEmpty || entry.facts.hash == adapter.hash else {
            throw .changedSinceRegistered(name: order.name, path: order.origin.path)
        }
        endReading(order)
        put(adapter, at: key, &released)
        admitWaiting(&released)
        return released
    }

    /// False where the adapter has come back meanwhile, or all who asked for it have given it up.
    func isWanted(_ order: LoadOrder) -> Bool {
        guard let key = key(order.name, version: order.version), let entry = entries[key] else {
            return false
        }
        return entry.claimCount > 0 && entry.reading == order.charge
    }

    /// Reading is over, whatever came of it.
    mutating func endReading(_ order: LoadOrder) {
        ledger.close(order.charge)
        guard let key = key(order.name, version: order.version),
            entries[key]?.reading == order.charge
        else { return }
        entries[key]!.reading = nil
    }

    /// The same, and lets those go on that fit now.
    mutating func endedReading(_ order: LoadOrder) -> Released {
        var released = Released()
        endReading(order)
        admitWaiting(&released)
        return released
    }

    /// Puts operators where the entry has none, or where it has the same content.
    mutating func put(_ adapter: LoadedAdapter, at name: String, _ released: inout Released) {
        // Leases share the instance that is there.
        guard entries[name]!.adapter == nil else { return released.adapters.append(adapter) }
        let charge = nextNumber()
        ledger.open(charge, .adapter, byteCount: adapter.byteCount)
        residentCount += 1
        entries[name]!.adapter = adapter
        entries[name]!.charge = charge
        entries[name]!.facts = AdapterFacts(adapter, cost: entries[name]!.facts.cost)
        if entries[name]!.inUseCount == 0 { setIdle(name) }
        // Where it is larger than it was thought to be, others make room.
        _ = makeRoom(0, &released)
    }

    /// Takes the operators out of an entry.
    mutating func drop(_ name: String) -> LoadedAdapter? {
        guard let entry = entries[name], let adapter = entry.adapter, let charge = entry.charge
        else { return nil }
        if entry.inUseCount == 0 { idleByteCount -= adapter.byteCount }
        residentCount -= 1
        entries[name]!.adapter = nil
        entries[name]!.charge = nil
        ledger.close(charge)
        return adapter
    }
}

// MARK: Use

extension RegistryState {
    /// Keeps an adapter from being dropped.
    mutating func pin(_ name: String) {
        if entries[name]!.inUseCount == 0, let adapter = entries[name]!.adapter {
            idleByteCount -= adapter.byteCount
        }
        entries[name]!.inUseCount += 1
    }

    mutating func unpin(_ name: String) {
        entries[name]!.inUseCount -= 1
        if entries[name]!.inUseCount == 0, entries[name]!.adapter != nil { setIdle(name) }
    }

    mutating func setIdle(_ name: String) {
        let number = nextNumber()
        idleByteCount += entries[name]!.adapter?.byteCount ?? 0
        entries[name]!.lastUse = number
        let liveCount = residentCount
        withIdle { idle, isIdle in
            idle.append(IdleQueue.Item(name: name, number: number))
            idle.compact(liveCount: liveCount, where: isIdle)
        }
    }

    /// Calls `body` with the queue, and with what says whether one of its items still stands.
    private mutating func withIdle<Result>(
        _ body: (inout IdleQueue, (IdleQueue.Item) -> Bool) -> Result
    ) -> Result {
        var idle = IdleQueue()
        swap(&idle, &self.idle)
        defer { swap(&idle, &self.idle) }
        return body(&idle) { item in
            guard let index = entries.index(forKey: item.name) else { return false }
            return entries.values[index].lastUse == item.number
                && entries.values[index].inUseCount == 0 && entries.values[index].adapter != nil
        }
    }

    /// Drops adapters that nobody holds, the least recently used first, until so many more bytes
    /// fit.
    ///
    /// - Returns: false where they can't fit now; nothing is dropped then.
    mutating func makeRoom(_ byteCount: Int, _ released: inout Released) -> Bool {
        guard let byteCountLimit else { return true }
        guard ledger.byteCount - idleByteCount + byteCount <= byteCountLimit else { return false }
        while ledger.byteCount + byteCount > byteCountLimit {
            guard let oldest = withIdle({ $0.next(where: $1) }), let adapter = drop(oldest.name)
            else { return false }
            dropCount += 1
            released.adapters.append(adapter)
        }
        return true
    }
}

extension RegistryState {
    /// Drops every adapter that nobody holds.
    mutating func dropIdle() -> Released {
        var released = Released()
        while let oldest = withIdle({ $0.next(where: $1) }), let adapter = drop(oldest.name) {
            dropCount += 1
            released.adapters.append(adapter)
        }
        admitWaiting(&released)
        return released
    }
}

// MARK: Admission

extension RegistryState {
    /// Lets something go on that needs memory, or has it wait.
    ///
    /// - Returns: nil where it waits; `resume` is called then.
    /// - Throws: `AdapterError.memoryExceeded` where it never can.
    mutating func admit(
        _ waiter: MemoryQueue.Waiter, _ released: inout Released
    ) throws(AdapterError) -> Admission? {
        let needsRead = try checkEverFits(waiter.need)
        if needsRead ? queue.isEmpty : queue.allowsOvertaking,
            let admission = admission(of: waiter.need, &released)
        {
            queue.noteOvertaking()
            return admission
        }
        queue.append(waiter)
        return nil
    }

    /// Lets those go on that fit now, in their order.
    mutating func admitWaiting(_ released: inout Released) {
        while let first = queue.waiters.first {
            let outcome: Result<Admission, AdapterError>
            do throws(AdapterError) {
                _ = try checkEverFits(first.need)
                guard let admission = admission(of: first.need, &released) else { return }
                outcome = .success(admission)
            } catch { outcome = .failure(error) }
            released.resumed.append(Resumed(waiter: queue.removeFirst(), outcome: outcome))
        }
    }

    /// - Returns: whether something must be read for it.
    /// - Throws: `AdapterError.memoryExceeded`.
    private func checkEverFits(_ need: MemoryQueue.Need) throws(AdapterError) -> Bool {
        switch need {
        case .read(let cost, let path):
            try checkEverFits(cost.peakByteCount, what: path)
            return true
        case .selection(let claims):
            var needed = 0
            var needsRead = false
            for claim in claims {
                let entry = entries[key(of: claim)]!
                needed += entry.adapter?.byteCount ?? entry.facts.cost.peakByteCount
                needsRead = needsRead || entry.adapter == nil && entry.reading == nil
            }
            if needsRead {
                let names = claims.map { "'\($0.selected.name)'" }.joined(separator: ", ")
                try checkEverFits(
                    needed, what: "adapter\(claims.count == 1 ? "" : "s") \(names)")
            }
            return needsRead
        }
    }

    /// - Throws: `AdapterError.memoryExceeded`.
    func checkEverFits(_ byteCount: Int, what: String) throws(AdapterError) {
        guard let byteCountLimit, byteCount > byteCountLimit else { return }
        throw .memoryExceeded(what: what, byteCount: byteCount, limit: byteCountLimit)
    }

    /// Takes the memory; nil where there isn't enough now.
    private mutating func admission(
        of need: MemoryQueue.Need, _ released: inout Released
    ) -> Admission? {
        switch need {
        case .read(let cost, _):
            openWork(cost.peakByteCount, &released).map { .read(charge: $0) }
        case .selection(let claims):
            reserve(claims, &released).map { .selection($0) }
        }
    }

    /// A charge for what is about to be read or merged; nil where it doesn't fit now.
    mutating func openWork(_ byteCount: Int, _ released: inout Released) -> UInt64? {
        guard makeRoom(byteCount, &released) else { return nil }
        let charge = nextNumber()
        ledger.open(charge, .work, byteCount: byteCount)
        return charge
    }

    /// What could be had now.
    var freeByteCount: Int {
        (byteCountLimit ?? .max) - (ledger.byteCount - idleByteCount)
    }

    /// Reading or merging is over.
    mutating func closeWork(_ charge: UInt64) -> Released {
        var released = Released()
        ledger.close(charge)
        admitWaiting(&released)
        return released
    }
}
