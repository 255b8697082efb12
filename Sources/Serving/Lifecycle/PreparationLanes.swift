internal import Dispatch
internal import Synchronization

/// The few threads on which requests are made ready for the engine, so that their texts become
/// tokens neither where lines are read nor where adapters are.
///
/// Each connection keeps to one lane, so that its requests start in their order.
final class PreparationLanes: Sendable {
    private let queues: [DispatchQueue]
    private let counter = Atomic(0)

    /// - Parameter count: 0 for the caller's thread.
    init(count: Int) {
        queues = (0..<count).map { DispatchQueue(label: "graft-preparation-\($0)") }
    }

    /// The lane of a new connection.
    func next() -> PreparationLane {
        guard !queues.isEmpty else { return PreparationLane(queue: nil) }
        let number = counter.add(1, ordering: .relaxed).newValue
        return PreparationLane(queue: queues[number % queues.count])
    }
}

/// Runs pieces of work one after the other.
struct PreparationLane: Sendable {
    let queue: DispatchQueue?

    func perform(_ body: @escaping @Sendable () -> Void) {
        if let queue { queue.async(execute: body) } else { body() }
    }
}
