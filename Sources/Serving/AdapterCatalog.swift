public import Adapters
public import Engine

/// What serving needs of the adapter registry. Loading and merging may take seconds, on the
/// caller's thread.
public protocol AdapterCatalog: Sendable {
    /// - Parameter root: the directory that all of the adapter's files must lie in; nil: anywhere.
    func load(
        name: String, path: String, root: String?
    ) throws(AdapterError) -> AdapterDescription

    /// Refuses new requests for the name; that has happened when this returns.
    ///
    /// - Parameter completion: called once, when the last request in flight has let go.
    func unload(
        name: String, completion: @escaping @Sendable (Result<Void, AdapterError>) -> Void)

    func merge(name: String, weight: Float) throws(AdapterError) -> AdapterDescription
    func unmerge(name: String) throws(AdapterError) -> AdapterDescription
    func descriptions() -> [AdapterDescription]
    /// What adapters hold in memory now.
    var memory: AdapterMemory { get }

    /// Gets the adapters that a request names, as they are when this is called; never waits.
    ///
    /// - Parameter completion: called once, before this returns or, when adapters must be read
    ///   first, later on another thread.
    /// - Returns: gives up what hasn't come yet, so that the completion is called at once; harmless
    ///   when it was.
    func select(
        _ selection: [SelectionEntry],
        completion: @escaping @Sendable (Result<AdapterSelection, AdapterError>) -> Void
    ) -> @Sendable () -> Void
}

/// The adapters that answer one request, held until `lease` is released.
public struct AdapterSelection: Sendable {
    public let lease: any PlanLease
    public let adapters: [AnsweringAdapter]
    /// The adapters' own; nil: the base's.
    public let tokenizer: AdapterTokenizer?
    /// Tokens that the model knows under them; nil: the base's.
    public let rowCount: Int?

    public init(
        lease: any PlanLease, adapters: [AnsweringAdapter], tokenizer: AdapterTokenizer? = nil,
        rowCount: Int? = nil
    ) {
        self.lease = lease
        self.adapters = adapters
        self.tokenizer = tokenizer
        self.rowCount = rowCount
    }
}

/// One adapter that answers a request, as its `done` event reports it.
public struct AnsweringAdapter: Sendable, Equatable {
    public let name: String
    public let weight: Float
    /// SHA-256 of the content.
    public let hash: String
    public let isMerged: Bool

    public init(name: String, weight: Float, hash: String, isMerged: Bool) {
        self.name = name
        self.weight = weight
        self.hash = hash
        self.isMerged = isMerged
    }
}

extension AdapterRegistry: AdapterCatalog {
    public func load(
        name: String, path: String, root: String?
    ) throws(AdapterError) -> AdapterDescription {
        let listing: AdapterListing = try load(name: name, path: path, root: root)
        return AdapterDescription(listing)
    }

    public func merge(name: String, weight: Float) throws(AdapterError) -> AdapterDescription {
        let listing: AdapterListing = try merge(name: name, weight: weight)
        return AdapterDescription(listing)
    }

    public func unmerge(name: String) throws(AdapterError) -> AdapterDescription {
        let listing: AdapterListing = try unmerge(name: name)
        return AdapterDescription(listing)
    }

    public func descriptions() -> [AdapterDescription] {
        list().map { AdapterDescription($0) }
    }

    public func select(
        _ selection: [SelectionEntry],
        completion: @escaping @Sendable (Result<AdapterSelection, AdapterError>) -> Void
    ) -> @Sendable () -> Void {
        let pending = lease(selection) { outcome in
            completion(outcome.map { AdapterSelection($0) })
        }
        return { pending.cancel() }
    }
}

extension AdapterSelection {
    init(_ lease: SelectionLease) {
        self.init(
            lease: lease,
            adapters: lease.entries.map {
                AnsweringAdapter(
                    name: $0.name, weight: $0.weight, hash: $0.hash, isMerged: $0.merged)
            }, tokenizer: lease.tokenizer, rowCount: lease.vocabularyCount)
    }
}
