import Synchronization

/// Counts calls from any thread.
final class Ends: Sendable {
    private let counter = Atomic(0)

    var count: Int { counter.load(ordering: .sequentiallyConsistent) }

    func add() { counter.add(1, ordering: .sequentiallyConsistent) }
}
