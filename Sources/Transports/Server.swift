internal import Glibc
public import Logging
public import Serving

/// Serves the line protocol on standard input and output, Unix sockets and TCP at once.
public struct Server: Sendable {
    /// Where clients are.
    public struct Endpoints: Sendable, Equatable {
        public var usesStandardStreams: Bool
        public var unixSockets: [String]
        public var addresses: [ListenAddress]
        /// Which paths clients of sockets may load adapters from; the user at standard input may load
        /// any. `.any` holds for clients on this machine only, others then load none.
        public var adapterPaths: AdapterPathRule

        /// - Parameter usesStandardStreams: nil: when there are no sockets.
        public init(
            usesStandardStreams: Bool? = nil, unixSockets: [String] = [],
            addresses: [ListenAddress] = [], adapterPaths: AdapterPathRule = .any
        ) {
            self.unixSockets = unixSockets
            self.addresses = addresses
            self.adapterPaths = adapterPaths
            self.usesStandardStreams =
                usesStandardStreams ?? (unixSockets.isEmpty && addresses.isEmpty)
        }

        var hasSockets: Bool { !unixSockets.isEmpty || !addresses.isEmpty }
    }

    private static let finishDeadline = Duration.seconds(10)
    private static let abortDeadline = Duration.seconds(1)

    private let service: any LineService
    private let endpoints: Endpoints
    private let logger: Logger
    private let onListening: @Sendable ([ListenAddress]) -> Void

    /// - Parameter onListening: called once every endpoint is ready, with the real TCP addresses.
    public init(
        service: any LineService, endpoints: Endpoints, logger: Logger,
        onListening: @escaping @Sendable ([ListenAddress]) -> Void = { _ in }
    ) {
        self.service = service
        self.endpoints = endpoints
        self.logger = logger
        self.onListening = onListening
    }

    /// Serves until a shutdown is requested, or until the end of standard input where that is the
    /// only endpoint; then answers what was accepted and returns.
    ///
    /// - Throws: `TransportError` where it can't listen.
    public func run() async throws(TransportError) {
        signal(SIGPIPE, SIG_IGN)
        let listener =
            endpoints.hasSockets
            ? SocketListener(service: service, adapterPaths: endpoints.adapterPaths) : nil
        if let listener {
            do throws(TransportError) { onListening(try await listen(listener)) } catch {
                await listener.stopListening()
                await listener.finishConnections(deadline: Self.abortDeadline)
                throw error
            }
        }
        let standard = endpoints.usesStandardStreams ? StdioTransport(service: service) : nil
        let service = service
        let endsWithInput = listener == nil
        standard?.start { if endsWithInput { service.requestShutdown() } }

        await service.shutdownRequested()
        await listener?.stopListening()
        await service.drain()
        await standard?.finish()
        await listener?.finishConnections(
            deadline: service.isAborted ? Self.abortDeadline : Self.finishDeadline)
    }

    private func listen(
        _ listener: SocketListener
    ) async throws(TransportError) -> [ListenAddress] {
        for path in endpoints.unixSockets {
            try await listener.listen(onUnixSocket: path)
            logger.info("listening", metadata: ["socket": "\(path)"])
        }
        var addresses: [ListenAddress] = []
        for address in endpoints.addresses {
            let actual = try await listener.listen(on: address)
            logger.info("listening", metadata: ["address": "\(actual)"])
            addresses.append(actual)
        }
        return addresses
    }
}
