import Dispatch
import Serving
import Synchronization
import Transports

/// Answers every line with itself; `hold`, or `{hold` where a connection must begin so, is answered
/// when the service drains, `flood` with lines until the client is gone.
final class EchoService: LineService {
    private struct State {
        var isShuttingDown = false
        var isAborted = false
        var waiters: [CheckedContinuation<Void, Never>] = []
        var connections: [EchoConnection] = []
    }

    let bounds: ServingConfiguration
    let incomingBytes: ByteBudget
    let outgoingBytes: ByteBudget
    private let state = Mutex(State())

    init(bounds: ServingConfiguration = ServingConfiguration(maximumLineByteCount: 1000)) {
        self.bounds = bounds
        incomingBytes = ByteBudget(limit: bounds.sharedByteCount)
        outgoingBytes = ByteBudget(limit: bounds.sharedByteCount)
    }

    var connections: [EchoConnection] { state.withLock { $0.connections } }

    func makeConnection(
        rights: ClientRights, write: @escaping @Sendable (String) -> Void
    ) -> any LineConnection {
        let connection = EchoConnection(rights: rights, write: write)
        state.withLock { $0.connections.append(connection) }
        return connection
    }

    var isAborted: Bool { state.withLock { $0.isAborted } }

    func requestShutdown() {
        let waiters = state.withLock { state in
            state.isShuttingDown = true
            defer { state.waiters = [] }
            return state.waiters
        }
        waiters.forEach { $0.resume() }
    }

    func shutdownRequested() async {
        await withCheckedContinuation { continuation in
            let isRequested = state.withLock { state in
                if !state.isShuttingDown { state.waiters.append(continuation) }
                return state.isShuttingDown
            }
            if isRequested { continuation.resume() }
        }
    }

    func drain() async {
        for connection in connections { connection.answerHeld() }
    }

    func abort() {
        state.withLock { $0.isAborted = true }
        requestShutdown()
    }
}

/// One client of an `EchoService`.
final class EchoConnection: LineConnection {
    private struct State {
        var lines: [String] = []
        var heldCount = 0
        var isClosed = false
        var completions: [@Sendable () -> Void] = []
    }

    let rights: ClientRights
    private let write: @Sendable (String) -> Void
    private let state = Mutex(State())

    init(rights: ClientRights, write: @escaping @Sendable (String) -> Void) {
        self.rights = rights
        self.write = write
    }

    /// What was received, in order.
    var lines: [String] { state.withLock { $0.lines } }
    var isClosed: Bool { state.withLock { $0.isClosed } }
    var isIdle: Bool { state.withLock { $0.heldCount == 0 } }

    func receive(_ line: FramedLine) {
        if line == .noRoom { return write("no room\n") }
        guard case .line(let bytes) = line else { return write("too long\n") }
        let text = String(decoding: bytes, as: UTF8.self)
        state.withLock { $0.lines.append(text) }
        switch text.drop(while: { $0 == "{" }) {
        case "hold": state.withLock { $0.heldCount += 1 }
        case "flood": flood()
        default: write(text + "\n")
        }
    }

    func endInput(completion: @escaping @Sendable () -> Void) {
        let isIdle = state.withLock { state in
            if state.heldCount > 0 { state.completions.append(completion) }
            return state.heldCount == 0
        }
        if isIdle { completion() }
    }

    func close() {
        state.withLock { $0.isClosed = true }
    }

    func answerHeld() {
        let (count, completions) = state.withLock { state in
            defer { (state.heldCount, state.completions) = (0, []) }
            return (state.heldCount, state.completions)
        }
        for _ in 0..<count { write("held\n") }
        completions.forEach { $0() }
    }

    /// Like a request that streams: ends when the client is gone.
    private func flood() {
        let line = String(repeating: "f", count: 999) + "\n"
        DispatchQueue.global().async {
            while !self.isClosed { self.write(line) }
        }
    }
}
