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

    init(
        channel: any Channel, service: any LineService, adapterPaths: AdapterPathRule
    ) {
        let failure = FailureForwarder()
        let outlet = ChannelOutlet(
            channel: channel, limit: service.bounds.maximumOutgoingByteCount
        ) { failure.forward() }
        self.outlet = outlet
        connection = service.makeConnection(adapterPaths: adapterPaths) { outlet.write($0) }
        failure.set(connection)
    }

    /// What a line costs beside its bytes, while it waits.
    private static let lineByteCount = 256

    /// Bytes of lines that wait to be handled.
    var backlog: Int { queuedByteCount.load(ordering: .relaxed) }

    /// - Parameter completion: called on the event loop when the line has been handled, unless the channel
    ///   is closed by then.
    func receive(_ line: FramedLine, completion: @escaping @Sendable () -> Void) {
        let textByteCount = if case .line(let bytes) = line { bytes.count } else { 0 }
        let byteCount = textByteCount + Self.lineByteCount
        queuedByteCount.add(byteCount, ordering: .relaxed)
        queue.async {
            self.connection.receive(line)
            self.queuedByteCount.subtract(byteCount, ordering: .relaxed)
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
}
