internal import Dispatch
internal import Synchronization

/// Adapters that are being read: each once, however many requests wait for it, on threads of its
/// own, so that neither the engine nor a connection waits; a few at a time, and of those that
/// compute with whole matrices one.
package final class AdapterLoads: Sendable {
    typealias Completion = @Sendable (Result<Void, AdapterError>) -> Void

    private struct Work: Sendable {
        let isHeavy: Bool
        let body: @Sendable () -> Void
    }

    private struct State {
        var completions: [UInt64: [Completion]] = [:]
        var waiting: [Work] = []
        var runningCount = 0
        var isHeavyRunning = false
    }

    private let queue = DispatchQueue(
        label: "graft-adapters", qos: .userInitiated, attributes: .concurrent)
    private let state = Mutex(State())

    package init() {}

    /// Runs `body` unless it runs already for this version; all who asked get the same outcome.
    func load(
        _ order: LoadOrder,
        _ body: @escaping @Sendable (LoadOrder) throws(AdapterError) -> Void,
        completion: @escaping Completion
    ) {
        let isFirst = state.withLock { state in
            state.completions[order.version, default: []].append(completion)
            return state.completions[order.version]?.count == 1
        }
        guard isFirst else { return }
        read(isHeavy: order.facts.cost.isHeavy) {
            let outcome: Result<Void, AdapterError>
            do throws(AdapterError) { outcome = .success(try body(order)) } catch {
                outcome = .failure(error)
            }
            let completions = self.state.withLock {
                $0.completions.removeValue(forKey: order.version)
            }
            completions?.forEach { $0(outcome) }
        }
    }

    /// Runs `body` when it is its turn.
    ///
    /// - Parameter isHeavy: whether it computes with whole matrices.
    package func read(isHeavy: Bool, _ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.waiting.append(Work(isHeavy: isHeavy, body: body)) }
        startNext()
    }

    /// Runs `body` on one of the threads that adapters are read on, whatever else runs.
    func perform(_ body: @escaping @Sendable () -> Void) {
        queue.async(execute: body)
    }

    private func startNext() {
        while let work = state.withLock({ Self.next(&$0) }) {
            queue.async {
                work.body()
                self.state.withLock { state in
                    state.runningCount -= 1
                    if work.isHeavy { state.isHeavyRunning = false }
                }
                self.startNext()
            }
        }
    }

    private static func next(_ state: inout State) -> Work? {
        guard state.runningCount < AdapterLimits.concurrentReadCount,
            let index = state.waiting.firstIndex(where: { !($0.isHeavy && state.isHeavyRunning) })
        else { return nil }
        let work = state.waiting.remove(at: index)
        state.runningCount += 1
        if work.isHeavy { state.isHeavyRunning = true }
        return work
    }
}

/// Several outcomes that one waits for together.
final class JointOutcome: Sendable {
    private struct State {
        var leftCount: Int
        var failure: AdapterError?
    }

    private let state: Mutex<State>
    private let completion: AdapterLoads.Completion

    /// - Parameter completion: called once, with the first failure if there is one.
    init(count: Int, completion: @escaping AdapterLoads.Completion) {
        state = Mutex(State(leftCount: count))
        self.completion = completion
    }

    func receive(_ outcome: Result<Void, AdapterError>) {
        let last = state.withLock { state -> Result<Void, AdapterError>? in
            state.leftCount -= 1
            if case .failure(let error) = outcome, state.failure == nil { state.failure = error }
            guard state.leftCount == 0 else { return nil }
            return state.failure.map { .failure($0) } ?? .success(())
        }
        if let last { completion(last) }
    }
}

/// Waits on this thread for an outcome that comes from another, or from this one at once.
func waitForOutcome<Value: Sendable>(
    _ body: (@escaping @Sendable (Result<Value, AdapterError>) -> Void) -> Void
) throws(AdapterError) -> Value {
    let box = OutcomeBox<Value>()
    body { box.put($0) }
    return try box.take().get()
}

private final class OutcomeBox<Value: Sendable>: Sendable {
    private let outcome = Mutex<Result<Value, AdapterError>?>(nil)
    private let semaphore = DispatchSemaphore(value: 0)

    func put(_ result: Result<Value, AdapterError>) {
        outcome.withLock { $0 = result }
        semaphore.signal()
    }

    func take() -> Result<Value, AdapterError> {
        semaphore.wait()
        return outcome.withLock { $0! }
    }
}
