internal import Dispatch
internal import NIOCore
internal import Serving
internal import Synchronization

/// One client of a socket: its lines are handled in order on a queue, away from the event loop.
final class SocketConnection: Sendable {
    private let connection: any LineConnection
    private let outlet: ChannelOutlet
    private let queue = DispatchQueue(label: "graft-connection")
    private let queuedByteCount = Atomic(0)
    private let bounds: ServingConfiguration
    private let budget: ByteBudget

    /// - Parameter onOverflow: called once, when the client reads too slowly and is given up.
    init(
        channel: any Channel, service: any LineService, rights: ClientRights,
        onOverflow: @escaping @Sendable () -> Void
    ) {
        bounds = service.bounds
        budget = service.incomingBytes
        let failure = FailureForwarder()
        let outlet = ChannelOutlet(
            channel: channel, bounds: service.bounds, budget: service.outgoingBytes
        ) {
            failure.forward()
            onOverflow()
        }
        self.outlet = outlet
        connection = service.makeConnection(rights: rights) { outlet.write($0) }
        failure.set(connection)
    }

    /// What a line costs beside its bytes, while it waits.
    private static let lineByteCount = 256

    /// Whether so many lines wait to be handled that no more should be read: as much as one line
    /// may have, or while other connections leave no room, what each has for itself.
    var isBusy: Bool {
        let backlog = queuedByteCount.load(ordering: .relaxed)
        return backlog > bounds.maximumLineByteCount
            || (backlog > bounds.ownByteCount && budget.isExhausted)
    }

    /// Whether the client waits for nothing.
    var isIdle: Bool { queuedByteCount.load(ordering: .relaxed) == 0 && connection.isIdle }

    /// - Parameter completion: called on the event loop when the line has been handled, unless the
    ///   channel is closed by then.
    func receive(_ line: FramedLine, completion: @escaping @Sendable () -> Void) {
        let textByteCount = if case .line(let bytes) = line { bytes.count } else { 0 }
        let byteCount = textByteCount + Self.lineByteCount
        queuedByteCount.add(byteCount, ordering: .relaxed)
        budget.take(byteCount)
        queue.async {
            self.connection.receive(line)
            self.queuedByteCount.subtract(byteCount, ordering: .relaxed)
            self.budget.give(byteCount)
            self.outlet.schedule(completion)
        }
    }

    /// No more lines are taken: closes the channel when everything accepted is answered.
    func finish() {
        queue.async {
            self.connection.endInput { self.outlet.finish() }
        }
    }

    /// The client is gone.
    func close() {
        connection.close()
    }

    /// Writes a line and closes the channel.
    func refuse(_ refusal: ConnectionRefusal) {
        outlet.write(refusal.line)
        outlet.finish()
    }
}
