internal import Checkpoints
internal import Transformer

extension AdapterRegistry {
    /// Reads an adapter and gives it this name; a name in use is re-pointed to the new content.
    ///
    /// Where there is memory for it only once others have ended, it waits for them.
    ///
    /// - Parameter root: where given, all of the adapter's files must lie in this directory, now
    ///   and whenever it comes back into memory.
    /// - Throws: `AdapterError`; the registry is then as before.
    @discardableResult
    public func load(
        name: String, path: String, root: String? = nil
    ) throws(AdapterError) -> AdapterListing {
        try AdapterName.check(name)
        let origin = AdapterOrigin(path: path, root: root, stamps: [])
        try locked { (state) throws(AdapterError) in try state.checkSpelling(of: name) }
        let (_, cost) = try header(of: origin)
        let (listing, released) = try reading(path, cost) { (charge) throws(AdapterError) in
            let adapter = try self.read(name: name, origin)
            return try self.locked { (state) throws(AdapterError) in
                try state.checkSpelling(of: name)
                return state.insert(
                    adapter, cost: cost, name: name, origin: origin, charge: charge)
            }
        }
        finish(released)
        forgetMerging(listing)
        return listing
    }

    /// Checks an adapter's configuration and the name, type and shape of its every tensor, and
    /// gives it this name; its values are read, checked and packed when the first request asks for
    /// it.
    ///
    /// For other methods than LoRA the first adapter of each recipe is read whole for the check,
    /// and dropped again.
    ///
    /// - Throws: `AdapterError`; the registry is then as before.
    @discardableResult
    public func register(name: String, path: String) throws(AdapterError) -> AdapterListing {
        try AdapterName.check(name)
        let origin = AdapterOrigin(
            path: path, stamps: try stamps(of: AdapterOrigin(path: path, stamps: [])))
        let (file, cost) = try header(of: origin)
        try locked { (state) throws(AdapterError) in
            try state.checkEverFits(cost.peakByteCount, what: path)
        }
        let facts: AdapterFacts
        if let known = try check(file, cost: cost, origin) {
            facts = known
        } else {
            let recipe = file.recipe
            facts = try reading(path, cost) { (_) throws(AdapterError) in
                try self.checkValues(recipe: recipe, cost: cost, origin)
            }
        }
        let (listing, released) = try locked { (state) throws(AdapterError) in
            try state.checkSpelling(of: name)
            return state.register(facts, name: name, origin: origin)
        }
        finish(released)
        forgetMerging(listing)
        return listing
    }

    /// What an adapter takes of memory at most: when it is there, and while it is read.
    package func memoryByteCounts(
        of path: String
    ) throws(AdapterError) -> (resident: Int, reading: Int) {
        let cost = try header(of: AdapterOrigin(path: path, stamps: [])).cost
        return (cost.residentByteCount, cost.peakByteCount)
    }

    /// An adapter without its values, and what reading those takes. Files that can't fit aren't
    /// opened; those of another library, which have to be read whole, once there is memory.
    private func header(
        of origin: AdapterOrigin
    ) throws(AdapterError) -> (file: AdapterFile, cost: LoadCost) {
        let byteCount = try stamps(of: origin).reduce(0) { $0 + $1.byteCount }
        try locked { (state) throws(AdapterError) in
            try state.checkEverFits(byteCount, what: origin.path)
        }
        let options = options(origin)
        guard let conversion = try ConversionCost.of(origin.path, options: options) else {
            let file = try AdapterFile.open(origin.path, options: options, extent: .header)
            return (file, LoadCost(file, base: base, options: options))
        }
        return try reading(origin.path, conversion) { (_) throws(AdapterError) in
            let file = try AdapterFile.open(origin.path, options: options)
            var cost = LoadCost(file, base: self.base, options: options)
            cost.temporaryByteCount += conversion.temporaryByteCount
            return (try file.withoutValues(), cost)
        }
    }

    /// Calls `body` on one of the threads that adapters are read on, once there is memory.
    ///
    /// - Parameter body: gets the charge, which is closed in any case when it is over.
    private func reading<Value: Sendable>(
        _ path: String, _ cost: LoadCost,
        _ body: @escaping @Sendable (UInt64) throws(AdapterError) -> Value
    ) throws(AdapterError) -> Value {
        let admission = try waitForAdmission(of: .read(cost, path: path))
        guard case .read(let charge) = admission else { throw .notFound(path: path) }
        defer { finish(locked { $0.closeWork(charge) }) }
        return try waitForOutcome { (completion) in
            loads.read(isHeavy: cost.isHeavy) {
                do throws(AdapterError) { completion(.success(try body(charge))) } catch {
                    completion(.failure(error))
                }
            }
        }
    }
}
