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
    private let adapterPaths: AdapterPathRule
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let state = Mutex(State())

    init(service: any LineService, adapterPaths: AdapterPathRule) {
        self.service = service
        self.adapterPaths = adapterPaths
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
        let file = try UnixSocketFile(binding: path)
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

    /// Closes every connection when its answers are written, or after `deadline` anyway.
    func finishConnections(deadline: Duration) async {
        let connections = state.withLock { Array($0.connections.values) }
        for (_, connection) in connections { connection.finish() }
        let timer = Task {
            try await Task.sleep(for: deadline)
            for (channel, _) in connections { channel.close(promise: nil) }
        }
        for (channel, _) in connections { try? await channel.closeFuture.get() }
        timer.cancel()
        try? await group.shutdownGracefully()
    }

    private func bootstrap(isTCP: Bool) -> ServerBootstrap {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
            }
        guard isTCP else { return bootstrap }
        return
            bootstrap
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    }

    /// Clients on other machines load no adapters unless a directory is set aside for that.
    private func paths(for channel: any Channel) -> AdapterPathRule {
        guard adapterPaths == .any, let address = channel.remoteAddress?.ipAddress else {
            return adapterPaths
        }
        let isLocal =
            address.hasPrefix("127.") || address == "::1"
            || address.hasPrefix("::ffff:127.")
        return isLocal ? .any : .none
    }

    private func accept(_ channel: any Channel) throws {
        let connection = SocketConnection(
            channel: channel, service: service, adapterPaths: paths(for: channel))
        let key = ObjectIdentifier(connection)
        state.withLock { $0.connections[key] = (channel, connection) }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { $0.connections[key] = nil }
        }
        try channel.pipeline.syncOperations.addHandler(
            LineChannelHandler(
                connection: connection, lineLimit: service.bounds.maximumLineByteCount))
    }
}
