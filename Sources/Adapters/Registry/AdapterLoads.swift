internal import Dispatch
internal import Synchronization

/// Adapters that are being read: each once, however many requests wait for it, on threads of its
/// own, so that neither the engine nor a connection waits.
final class AdapterLoads: Sendable {
    typealias Completion = @Sendable (Result<Void, AdapterError>) -> Void

    private let queue = DispatchQueue(
        label: "graft-adapters", qos: .userInitiated, attributes: .concurrent)
    private let waiting = Mutex<[UInt64: [Completion]]>([:])

    /// Runs `body` unless it runs already for this version; all who asked get the same outcome.
    func load(
        _ order: LoadOrder,
        _ body: @escaping @Sendable (LoadOrder) throws(AdapterError) -> Void,
        completion: @escaping Completion
    ) {
        let isFirst = waiting.withLock { waiting in
            waiting[order.version, default: []].append(completion)
            return waiting[order.version]?.count == 1
        }
        guard isFirst else { return }
        perform {
            let outcome: Result<Void, AdapterError>
            do throws(AdapterError) { outcome = .success(try body(order)) } catch {
                outcome = .failure(error)
            }
            let completions = self.waiting.withLock { $0.removeValue(forKey: order.version) }
            completions?.forEach { $0(outcome) }
        }
    }

    /// Runs `body` on one of the threads that adapters are read on.
    func perform(_ body: @escaping @Sendable () -> Void) {
        queue.async(execute: body)
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
