internal import Dispatch
internal import Synchronization

/// Turns a connection's events into lines, in their order and on a queue of its own: whoever has an
/// event, the engine's thread above all, only leaves it here.
final class EventWriter: Sendable {
    private enum Step {
        case event(ServerEvent, RequestID?)
        case action(@Sendable () -> Void)
    }

    private struct State {
        var pending: [Step] = []
        var isScheduled = false
        var isClosed = false
    }

    private let queue: DispatchQueue?
    private let write: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - usesQueue: false: on the thread that has the event.
    ///   - write: takes lines; must not block.
    init(usesQueue: Bool, write: @escaping @Sendable (String) -> Void) {
        queue = usesQueue ? DispatchQueue(label: "graft-events") : nil
        self.write = write
    }

    func send(_ event: ServerEvent, id: RequestID?) {
        add(.event(event, id))
    }

    /// Runs `action` when all events so far are written; also once closed.
    func then(_ action: @escaping @Sendable () -> Void) {
        add(.action(action))
    }

    /// No event is written any more.
    func close() {
        state.withLock { $0.isClosed = true }
    }

    private func add(_ step: Step) {
        guard let queue else { return perform(step) }
        let isFirst = state.withLock { state in
            state.pending.append(step)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if isFirst { queue.async { self.drain() } }
    }

    private func drain() {
        while true {
            let steps = state.withLock { state in
                if state.pending.isEmpty { state.isScheduled = false }
                defer { state.pending = [] }
                return state.pending
            }
            guard !steps.isEmpty else { return }
            for step in steps { perform(step) }
        }
    }

    private func perform(_ step: Step) {
        switch step {
        case .event(let event, let id):
            guard !state.withLock({ $0.isClosed }) else { return }
            write(event.line(id: id))
        case .action(let action): action()
        }
    }
}
