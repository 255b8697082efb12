internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Serving
internal import Synchronization

/// Accepts clients on sockets and keeps account of them.
final class SocketListener: Sendable {
    private struct State {
        var listeners: [any Channel] = []
        var files: [UnixSocketFile] = []
        var connections: [ObjectIdentifier: (channel: any Channel, connection: SocketConnection)] =
            [:]
    }

    private let service: any LineService
    private let endpoints: Server.Endpoints
    private let logger: Logger
    /// What may happen again and again is logged once a while.
    private let refusals = RareLog(), failures = RareLog(), strangers = RareLog()
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let state = Mutex(State())

    init(service: any LineService, endpoints: Server.Endpoints, logger: Logger) {
        self.service = service
        self.endpoints = endpoints
        self.logger = logger
    }

    /// - Returns: the address in use, with the real port.
    func listen(on address: ListenAddress) async throws(TransportError) -> ListenAddress {
        do {
            let channel = try await bootstrap(isTCP: true)
                .bind(host: address.host, port: address.port).get()
            state.withLock { $0.listeners.append(channel) }
            return ListenAddress(
                host: channel.localAddress?.ipAddress ?? address.host,
                port: channel.localAddress?.port ?? address.port)
        } catch {
            throw .cannotListen(address: address.description, reason: "\(error)")
        }
    }

    func listen(onUnixSocket path: String) async throws(TransportError) {
        let file = try UnixSocketFile(binding: path, access: endpoints.socketAccess)
        state.withLock { $0.files.append(file) }
        do {
            let channel = try await bootstrap(isTCP: false).withBoundSocket(file.descriptor).get()
            state.withLock { $0.listeners.append(channel) }
        } catch {
            throw .cannotListen(address: path, reason: "\(error)")
        }
    }

    /// Accepts no more clients.
    func stopListening() async {
        let (listeners, files) = state.withLock { state in
            defer { (state.listeners, state.files) = ([], []) }
            return (state.listeners, state.files)
        }
        for file in files { file.remove() }
        for listener in listeners { try? await listener.close() }
    }

    /// Closes every connection when its answers are written, or when `deadline` returns anyway.
    func finishConnections(deadline: @escaping @Sendable () async -> Void) async {
        let connections = state.withLock { Array($0.connections.values) }
        for (_, connection) in connections { connection.finish() }
        let timer = Task {
            await deadline()
            guard !Task.isCancelled else { return }
            for (channel, _) in connections { channel.close(promise: nil) }
        }
        for (channel, _) in connections { try? await channel.closeFuture.get() }
        timer.cancel()
        try? await group.shutdownGracefully()
    }

    private func bootstrap(isTCP: Bool) -> ServerBootstrap {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(self.pause())
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel, isTCP: isTCP) }
            }
        guard isTCP else { return bootstrap }
        return
            bootstrap
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    }

    private func pause() -> AcceptPauseHandler {
        AcceptPauseHandler { error in
            self.failures.log {
                self.logger.error("can't accept clients", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func accept(_ channel: any Channel, isTCP: Bool) throws {
        let logger = logger
        let limit = endpoints.maximumConnectionCount
        guard state.withLock({ $0.connections.count }) < limit else {
            refusals.log {
                logger.warning("too many connections", metadata: ["limit": "\(limit)"])
            }
            return try channel.pipeline.syncOperations.addHandler(
                RefusingHandler(.tooMany(limit: limit)))
        }
        let address = channel.remoteAddress?.description ?? "a Unix socket"
        let connection = SocketConnection(
            channel: channel, service: service, rights: endpoints.rights(isTCP: isTCP)
        ) {
            logger.warning(
                "a client is given up: it lets too many events wait",
                metadata: ["from": "\(address)"])
        }
        let key = ObjectIdentifier(connection)
        state.withLock { $0.connections[key] = (channel, connection) }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { $0.connections[key] = nil }
        }
        try addHandlers(channel, connection, isTCP: isTCP, address: address)
    }

    private func addHandlers(
        _ channel: any Channel, _ connection: SocketConnection, isTCP: Bool, address: String
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        if isTCP, let timeout = endpoints.idleTimeout {
            let seconds =
                Double(timeout.components.seconds) + Double(timeout.components.attoseconds) * 1e-18
            try pipeline.addHandler(
                IdleStateHandler(allTimeout: .nanoseconds(Int64(seconds * 1e9))))
        }
        try pipeline.addHandler(
            LineChannelHandler(connection: connection, service: service, beginsWithObject: isTCP) {
                [strangers, logger] in
                strangers.log {
                    logger.warning(
                        "a connection was closed: it doesn't speak the line protocol",
                        metadata: ["from": "\(address)"])
                }
            })
    }
}
