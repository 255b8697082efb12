import Adapters
import Engine
import Serving
import Synchronization

/// A catalog that holds names only.
final class ListedAdapters: AdapterCatalog {
    private struct State {
        var names: [String: AdapterDescription] = [:]
        var leases: [CountedLease] = []
        var unloads: [@Sendable (Result<Void, AdapterError>) -> Void] = []
        var paths: [String] = []
        /// Whether selections wait, as for adapters that must be read.
        var isHolding = false
        var held: [(number: Int, body: @Sendable () -> Void)] = []
        var heldCount = 0
        var roots: [String?] = []
    }

    private let state: Mutex<State>

    private let rowCounts: [String: Int]

    /// - Parameter rowCounts: of those that resized the vocabulary.
    init(_ names: [String] = ["law", "medicine"], rowCounts: [String: Int] = [:]) {
        self.rowCounts = rowCounts
        state = Mutex(
            State(names: Dictionary(uniqueKeysWithValues: names.map { ($0, Self.make($0)) })))
    }

    var leases: [CountedLease] { state.withLock { $0.leases } }
    /// Paths that were loaded.
    var paths: [String] { state.withLock { $0.paths } }
    /// Directories that they had to lie in.
    var roots: [String?] { state.withLock { $0.roots } }

    /// From now on selections complete when they are let go, as for adapters that must be read.
    func hold() {
        state.withLock { $0.isHolding = true }
    }

    /// Selections that wait.
    var heldCount: Int { state.withLock { $0.held.count } }

    /// Completes what waits; later selections complete at once.
    func letGo() {
        let held = state.withLock { state in
            defer { (state.held, state.isHolding) = ([], false) }
            return state.held
        }
        held.forEach { $0.body() }
    }

    /// The last request in flight lets go.
    func completeUnloads() {
        let unloads = state.withLock { state in
            defer { state.unloads = [] }
            return state.unloads
        }
        unloads.forEach { $0(.success(())) }
    }

    func load(
        name: String, path: String, root: String?
    ) throws(AdapterError) -> AdapterDescription {
        guard path != "/missing" else { throw .notFound(path: path) }
        guard !name.isEmpty else { throw .invalidName(name, reason: "it is empty") }
        var adapter = Self.make(name)
        adapter.warnings = ["unknown setting"]
        state.withLock { state in
            state.paths.append(path)
            state.roots.append(root)
            state.names[name] = adapter
        }
        return adapter
    }

    func unload(
        name: String, completion: @escaping @Sendable (Result<Void, AdapterError>) -> Void
    ) {
        let isKnown = state.withLock { state in
            guard state.names.removeValue(forKey: name) != nil else { return false }
            state.unloads.append(completion)
            return true
        }
        if !isKnown { completion(.failure(.unknownAdapter(name, loaded: known))) }
    }

    func merge(name: String, weight: Float) throws(AdapterError) -> AdapterDescription {
        guard abs(weight) <= SelectionEntry.weightLimit else {
            throw .invalidWeight(adapter: name, weight: weight)
        }
        return try change(name, mergedWeight: weight)
    }

    func unmerge(name: String) throws(AdapterError) -> AdapterDescription {
        guard state.withLock({ $0.names[name] })?.mergedWeight != nil else {
            throw .notMerged(name)
        }
        return try change(name, mergedWeight: nil)
    }

    func descriptions() -> [AdapterDescription] {
        state.withLock { $0.names.values.sorted { $0.name < $1.name } }
    }

    var memory: AdapterMemory {
        var memory = AdapterMemory()
        memory.residentCount = descriptions().count
        return memory
    }

    func select(
        _ selection: [SelectionEntry],
        completion: @escaping @Sendable (Result<AdapterSelection, AdapterError>) -> Void
    ) -> @Sendable () -> Void {
        let outcome: Result<AdapterSelection, AdapterError>
        do throws(AdapterError) { outcome = .success(try select(selection)) } catch {
            completion(.failure(error))
            return {}
        }
        let number = state.withLock { state -> Int? in
            guard state.isHolding else { return nil }
            state.heldCount += 1
            state.held.append((number: state.heldCount, body: { completion(outcome) }))
            return state.heldCount
        }
        guard let number else {
            completion(outcome)
            return {}
        }
        return { self.giveUp(number, outcome, completion) }
    }

    private func giveUp(
        _ number: Int, _ outcome: Result<AdapterSelection, AdapterError>,
        _ completion: @Sendable (Result<AdapterSelection, AdapterError>) -> Void
    ) {
        let wasHeld = state.withLock { state in
            guard let index = state.held.firstIndex(where: { $0.number == number }) else {
                return false
            }
            state.held.remove(at: index)
            return true
        }
        guard wasHeld else { return }
        if case .success(let selection) = outcome { selection.lease.release() }
        completion(.failure(.cancelled))
    }

    private func select(_ selection: [SelectionEntry]) throws(AdapterError) -> AdapterSelection {
        var adapters: [AnsweringAdapter] = []
        for entry in selection {
            guard let adapter = state.withLock({ $0.names[entry.name] }) else {
                throw .unknownAdapter(entry.name, loaded: known)
            }
            adapters.append(
                AnsweringAdapter(
                    name: entry.name, weight: entry.weight, hash: adapter.hash,
                    isMerged: adapter.mergedWeight == entry.weight))
        }
        let lease = CountedLease()
        state.withLock { $0.leases.append(lease) }
        return AdapterSelection(
            lease: lease, adapters: adapters,
            rowCount: selection.compactMap { rowCounts[$0.name] }.max())
    }

    private var known: [String] { state.withLock { $0.names.keys.sorted() } }

    private func change(
        _ name: String, mergedWeight: Float?
    ) throws(AdapterError) -> AdapterDescription {
        guard var adapter = state.withLock({ $0.names[name] }) else {
            throw .unknownAdapter(name, loaded: known)
        }
        adapter.mergedWeight = mergedWeight
        state.withLock { $0.names[name] = adapter }
        return adapter
    }

    private static func make(_ name: String) -> AdapterDescription {
        AdapterDescription(name: name, hash: "hash-of-\(name)", peftType: "LORA")
    }
}
