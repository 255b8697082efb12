internal import Glibc
public import Logging
internal import Serving

/// Serves the line protocol on standard input and output, Unix sockets and TCP at once.
public struct Server: Sendable {
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
            ? SocketListener(service: service, endpoints: endpoints, logger: logger) : nil
        if let listener {
            do throws(TransportError) { onListening(try await listen(listener)) } catch {
                await listener.stopListening()
                await listener.finishConnections {}
                throw error
            }
        }
        let standard = endpoints.usesStandardStreams ? standardStreams() : nil
        let service = service
        let endsWithInput = listener == nil
        standard?.start { if endsWithInput { service.requestShutdown() } }

        await service.shutdownRequested()
        await listener?.stopListening()
        await service.drain()
        await finish(standard, listener)
    }

    private func standardStreams() -> StdioTransport {
        let logger = logger
        return StdioTransport(
            service: service,
            onOverflow: {
                logger.warning(
                    "standard output is given up: its reader is gone, or lets too many events wait")
            })
    }

    /// At the same time, so that none that takes nothing holds the others up.
    private func finish(_ standard: StdioTransport?, _ listener: SocketListener?) async {
        let deadline = FinishDeadline(service: service)
        let logger = logger
        await withTaskGroup(of: Void.self) { group in
            if let standard {
                group.addTask {
                    if await standard.finish(deadline: { await deadline.wait() }) { return }
                    logger.warning("standard output did not take all answers; the rest is lost")
                }
            }
            if let listener {
                group.addTask {
                    await listener.finishConnections { await deadline.wait() }
                }
            }
        }
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
