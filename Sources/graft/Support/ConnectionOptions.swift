internal import ArgumentParser
import Foundation
import Serving
import Transports

/// Where a server's clients connect, what they may do there, and how many there may be.
struct ConnectionOptions: ParsableArguments {
    @Flag(help: "Serve standard input and output, beside sockets.") var stdio = false
    @Option(help: ArgumentHelp("A Unix socket to listen on; repeatable.", valueName: "path"))
    var socket: [String] = []
    @Option(
        help: ArgumentHelp(
            "Permissions of Unix sockets, octal; who may write may connect.", valueName: "mode"))
    var socketMode = "0600"
    @Option(
        help: ArgumentHelp(
            "Group of Unix sockets (default: the process's).", valueName: "group"))
    var socketGroup: String?
    @Option(help: ArgumentHelp("A TCP address to listen on; repeatable.", valueName: "host:port"))
    var listen: [String] = []
    @Flag(
        help: "Let clients of TCP load, unload and merge adapters and shut down, on any machine.")
    var tcpAdmin = false
    @Option(
        help: ArgumentHelp(
            "The directory that clients of sockets may load adapters from (default: any for those of Unix sockets, none for those of TCP).",
            valueName: "path"))
    var adapterRoot: String?
    @Option(
        help: ArgumentHelp("Connections of sockets at the same time.", valueName: "count"))
    var maxConnections = 1024
    @Option(
        help: ArgumentHelp(
            "Seconds after which a TCP client that waits for nothing is disconnected; 0: never.",
            valueName: "seconds"))
    var idleTimeout = 3600
    @Option(
        help: ArgumentHelp(
            "Memory for lines that are being received, for requests that wait to start, and for events that clients haven't read, each.",
            valueName: "size"))
    var connectionMemory = "256M"

    func validate() throws {
        guard maxConnections >= 1 else {
            throw ValidationError("--max-connections is \(maxConnections), expected 1 or more")
        }
        guard (0...maximumSeconds).contains(idleTimeout) else {
            throw ValidationError(
                "--idle-timeout is \(idleTimeout), expected 0 to \(maximumSeconds)")
        }
        guard ByteCount(connectionMemory) != nil else {
            throw ValidationError(
                "--connection-memory is '\(connectionMemory)', expected a size as 64M or 1G")
        }
        do { _ = try access() } catch {
            throw ValidationError("--socket-mode, --socket-group: \(error)")
        }
        do { _ = try addresses() } catch { throw ValidationError("--listen: \(error)") }
    }

    /// Ten years.
    private var maximumSeconds: Int { 315_360_000 }

    private func access() throws(TransportError) -> SocketAccess {
        var access = SocketAccess(mode: try SocketAccess.mode(parsing: socketMode))
        if let socketGroup { access.group = try SocketAccess.group(named: socketGroup) }
        return access
    }

    private func addresses() throws(TransportError) -> [ListenAddress] {
        try listen.map { (text) throws(TransportError) in try ListenAddress(parsing: text) }
    }

    /// - Parameters:
    ///   - descriptorLimit: files and sockets that the process may have open.
    ///   - inherited: those that it was started with.
    func endpoints(descriptorLimit: Int, inherited: Int) throws -> Server.Endpoints {
        var endpoints = Server.Endpoints(
            usesStandardStreams: stdio ? true : nil, unixSockets: socket,
            addresses: try addresses())
        endpoints.socketAccess = try access()
        endpoints.adapterRoot = adapterRoot
        endpoints.tcpAdministers = tcpAdmin
        endpoints.maximumConnectionCount = DescriptorLimit.connectionCount(
            wanted: maxConnections, limit: descriptorLimit, inherited: inherited)
        endpoints.idleTimeout = idleTimeout == 0 ? nil : .seconds(idleTimeout)
        return endpoints
    }

    var bounds: ServingConfiguration {
        ServingConfiguration(
            sharedByteCount: ByteCount(connectionMemory)?.value ?? 256 << 20)
    }
}
