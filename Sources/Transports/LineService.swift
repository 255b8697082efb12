public import Serving

/// One connection, as a transport sees it.
public protocol LineConnection: AnyObject, Sendable {
    /// Handles the next line; may take long. Calls follow each other.
    func receive(_ line: FramedLine)

    /// No more lines come; `completion` is called once everything accepted is answered.
    func endInput(completion: @escaping @Sendable () -> Void)

    /// Whether nothing is left to answer.
    var isIdle: Bool { get }

    /// The client is gone.
    func close()
}

/// What transports need of the server behind them.
public protocol LineService: Sendable {
    var bounds: ServingConfiguration { get }
    /// Bytes of all clients' lines.
    var incomingBytes: ByteBudget { get }
    /// Bytes of events that wait for all clients.
    var outgoingBytes: ByteBudget { get }

    /// - Parameters:
    ///   - rights: what the client may ask for.
    ///   - write: takes lines for the client, on any thread, and never blocks.
    func makeConnection(
        rights: ClientRights, write: @escaping @Sendable (String) -> Void
    ) -> any LineConnection

    func requestShutdown()
    func shutdownRequested() async
    /// Returns when every accepted request has had its last event.
    func drain() async
    /// Gives accepted requests up.
    func abort()
    var isAborted: Bool { get }
}

extension LineSession: LineConnection {}

extension Service: LineService {
    public var bounds: ServingConfiguration { context.configuration }

    public func makeConnection(
        rights: ClientRights, write: @escaping @Sendable (String) -> Void
    ) -> any LineConnection {
        makeSession(rights: rights, write: write)
    }
}
