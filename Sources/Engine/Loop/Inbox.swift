internal import Dispatch
internal import Synchronization

/// What other threads ask of the engine's thread.
enum EngineCommand: Sendable {
    case submit(GenerationRequest, number: Int, at: ContinuousClock.Instant)
    case cancel(number: Int)
}

/// Commands taken together, in the order of their arrival.
struct Mail: Sendable {
    var commands: [EngineCommand]
    /// Everything in flight has to be given up.
    var isAborting: Bool
}

/// Hands commands to the engine's thread and counts the requests in flight.
final class Inbox: Sendable {
    private enum Phase: Comparable { case open, draining, aborting, ended }

    private struct State {
        var phase = Phase.open
        var commands: [EngineCommand] = []
        var inFlightCount = 0
        var nextNumber = 0
        var isParked = false
        var drainWaiters: [CheckedContinuation<Void, Never>] = []
    }

    private let requestLimit: Int
    private let state = Mutex(State())
    private let wakeUp = DispatchSemaphore(value: 0)

    /// - Parameter requestLimit: requests in flight at most.
    init(requestLimit: Int) {
        self.requestLimit = requestLimit
    }

    /// Requests that have not had their last event.
    var inFlightCount: Int { state.withLock { $0.inFlightCount } }

    func checkCapacity() throws(EngineError) {
        if let error = state.withLock({ refusal($0) }) { throw error }
    }

    /// Counts a request before it is there.
    ///
    /// - Throws: `EngineError.overloaded`, `.shuttingDown`.
    func accept() throws(EngineError) {
        let error = state.withLock { state -> EngineError? in
            if let error = refusal(state) { return error }
            state.inFlightCount += 1
            return nil
        }
        if let error { throw error }
    }

    /// Takes a request that was counted when it was accepted.
    ///
    /// - Throws: `EngineError.shuttingDown`; it isn't counted any more then.
    func submit(
        _ request: GenerationRequest, at instant: ContinuousClock.Instant
    ) throws(EngineError) -> RequestHandle {
        let handle = state.withLock { state -> RequestHandle? in
            guard state.phase <= .draining else {
                state.inFlightCount -= 1
                return nil
            }
            let number = state.nextNumber
            state.nextNumber += 1
            post(.submit(request, number: number, at: instant), &state)
            return RequestHandle(number: number)
        }
        guard let handle else { throw .shuttingDown }
        return handle
    }

    func cancel(_ handle: RequestHandle) {
        state.withLock { post(.cancel(number: handle.number), &$0) }
    }

    /// Returns when the engine's thread has ended.
    func drain() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                guard state.phase < .ended else { return true }
                state.phase = max(state.phase, .draining)
                state.drainWaiters.append(continuation)
                unpark(&state)
                return false
            }
            if hasEnded { continuation.resume() }
        }
    }

    func abort() {
        state.withLock { state in
            state.phase = max(state.phase, .aborting)
            unpark(&state)
        }
    }

    /// Takes what has arrived; waits for something when the caller has nothing to do.
    ///
    /// - Returns: nil when the thread has to end: draining, and nothing is left to do.
    func take(isIdle: Bool) -> Mail? {
        while true {
            let (mail, hasEnded) = state.withLock { state -> (Mail?, Bool) in
                if isIdle, state.commands.isEmpty {
                    if state.phase >= .draining { return (nil, true) }
                    state.isParked = true
                    return (nil, false)
                }
                defer { state.commands.removeAll() }
                return (Mail(commands: state.commands, isAborting: state.phase == .aborting), false)
            }
            if hasEnded { return nil }
            if let mail { return mail }
            wakeUp.wait()
        }
    }

    /// A request is about to have its last event.
    func didFinish() {
        state.withLock { $0.inFlightCount -= 1 }
    }

    /// The thread is over: nobody takes commands from here on.
    func end() {
        let waiters = state.withLock { state in
            state.phase = .ended
            defer { state.drainWaiters = [] }
            return state.drainWaiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func refusal(_ state: State) -> EngineError? {
        if state.phase > .open { return .shuttingDown }
        return state.inFlightCount < requestLimit ? nil : .overloaded(requestLimit: requestLimit)
    }

    private func post(_ command: EngineCommand, _ state: inout State) {
        guard state.phase < .ended else { return }
        state.commands.append(command)
        unpark(&state)
    }

    private func unpark(_ state: inout State) {
        guard state.isParked else { return }
        state.isParked = false
        wakeUp.signal()
    }
}
