public import Serving

/// One connection, as a transport sees it.
public protocol LineConnection: AnyObject, Sendable {
    /// Handles the next line; may take long. Calls follow each other.
    func receive(_ line: FramedLine)

    /// No more lines come; `completion` is called once everything accepted is answered.
    func endInput(completion: @escaping @Sendable () -> Void)

    /// The client is gone.
    func close()
}

/// What transports need of the server behind them.
public protocol LineService: Sendable {
    var bounds: ServingConfiguration { get }

    /// - Parameter write: takes lines for the client, on any thread, and never blocks.
    func makeConnection(
        adapterPaths: AdapterPathRule, write: @escaping @Sendable (String) -> Void
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
        adapterPaths: AdapterPathRule, write: @escaping @Sendable (String) -> Void
    ) -> any LineConnection {
        makeSession(adapterPaths: adapterPaths, write: write)
    }
}
