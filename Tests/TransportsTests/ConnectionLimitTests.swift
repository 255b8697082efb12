import Foundation
import Glibc
import Serving
import Testing
import Transports

/// What one client can't do to the others.
@Suite struct ConnectionLimitTests {
    private let folder: SocketFolder

    init() throws { folder = try SocketFolder() }

    private static let local = ListenAddress(host: "127.0.0.1", port: 0)

    @Test func closesConnectionsThatDoNotSpeakTheProtocol() async throws {
        let server = try await RunningServer(.init(addresses: [Self.local]))
        for text in [
            "POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n{\"op\":\"shutdown\"}\n",
            "\u{16}\u{3}\u{1}", "[1]\n", "x", "\r\n \tGET /\n", "\u{FEFF}{\"id\":1}\n",
        ] {
            let client = try TestSocket(port: server.addresses[0].port)
            try client.send(text)
            #expect(client.readAll().contains("\"code\":\"bad_json\""), "\(text)")
        }
        #expect(server.service.connections.allSatisfy { $0.lines.isEmpty })
        let client = try TestSocket(port: server.addresses[0].port)
        try client.send("\r\n \t{\"id\":1}\nlater lines may be wrong\n")
        #expect(client.read(lineCount: 2) == " \t{\"id\":1}\nlater lines may be wrong\n")
        try await server.stop()
    }

    @Test func takesAnythingOnUnixSockets() async throws {
        let path = folder.socketPath
        let server = try await RunningServer(.init(unixSockets: [path]))
        let client = try TestSocket(unixSocket: path)
        try client.send("[1]\n")
        #expect(client.read(lineCount: 1) == "[1]\n")
        try await server.stop()
    }

    @Test func givesRightsByWhereAClientConnects() async throws {
        let path = folder.socketPath
        func rights(
            _ change: (inout Server.Endpoints) -> Void
        ) async throws -> (unix: ClientRights?, tcp: ClientRights?) {
            var endpoints = Server.Endpoints(unixSockets: [path], addresses: [Self.local])
            change(&endpoints)
            let server = try await RunningServer(endpoints)
            let unix = try TestSocket(unixSocket: path)
            try unix.send("{u\n")
            _ = unix.read(lineCount: 1)
            let tcp = try TestSocket(port: server.addresses[0].port)
            try tcp.send("{t\n")
            _ = tcp.read(lineCount: 1)
            let found = server.service.connections.map(\.rights)
            try await server.stop()
            return (found.first, found.last)
        }
        let plain = try await rights { _ in }
        #expect(plain.unix == .owner)
        #expect(plain.tcp == .user)
        let rooted = try await rights { $0.adapterRoot = "/r" }
        #expect(
            rooted.unix == ClientRights(administers: true, adapterPaths: .inside(root: "/r")))
        #expect(rooted.tcp == .user)
        let granted = try await rights { $0.tcpAdministers = true }
        #expect(granted.tcp == ClientRights(administers: true, adapterPaths: .none))
        let both = try await rights {
            $0.tcpAdministers = true
            $0.adapterRoot = "/r"
        }
        #expect(both.tcp == ClientRights(administers: true, adapterPaths: .inside(root: "/r")))
    }

    @Test func boundsConnections() async throws {
        let path = folder.socketPath
        var endpoints = Server.Endpoints(unixSockets: [path], addresses: [Self.local])
        endpoints.maximumConnectionCount = 3
        let server = try await RunningServer(endpoints)
        var clients: [TestSocket] = []
        for number in 0..<3 {
            let client = try TestSocket(unixSocket: path)
            try client.send("\(number)\n")
            #expect(client.read(lineCount: 1) == "\(number)\n")
            clients.append(client)
        }
        for _ in 0..<2 {
            let refused = try TestSocket(unixSocket: path)
            #expect(
                refused.readAll().contains("3 connections are open, which is the limit"))
            let tcp = try TestSocket(port: server.addresses[0].port)
            #expect(tcp.readAll().contains("\"code\":\"overloaded\""))
        }
        clients.removeLast()
        #expect(await eventually { server.service.connections[2].isClosed })
        let next = try TestSocket(unixSocket: path)
        try next.send("next\n")
        #expect(next.read(lineCount: 1) == "next\n")
        try await server.stop()
    }

    @Test func disconnectsIdleClientsOfTCP() async throws {
        let path = folder.socketPath
        var endpoints = Server.Endpoints(unixSockets: [path], addresses: [Self.local])
        endpoints.idleTimeout = .milliseconds(100)
        let server = try await RunningServer(endpoints)
        let unix = try TestSocket(unixSocket: path)
        let waiting = try TestSocket(port: server.addresses[0].port)
        try waiting.send("{hold\n")
        let idle = try TestSocket(port: server.addresses[0].port)
        try idle.send("{x\n")
        #expect(idle.readAll() == "{x\n")
        // One that waits for an answer isn't idle, and those of Unix sockets may be.
        try unix.send("still here\n")
        #expect(unix.read(lineCount: 1) == "still here\n")
        let held = try #require(server.service.connections.first { $0.lines == ["{hold"] })
        held.answerHeld()
        #expect(waiting.readAll() == "held\n")
        try await server.stop()
    }

    @Test func boundsTheMemoryOfUnfinishedLines() async throws {
        let bounds = ServingConfiguration(
            maximumLineByteCount: 100_000, sharedByteCount: 120_000, ownByteCount: 1000)
        let service = EchoService(bounds: bounds)
        let path = folder.socketPath
        let server = try await RunningServer(.init(unixSockets: [path]), service: service)
        let first = try TestSocket(unixSocket: path)
        try first.send(String(repeating: "x", count: 90_000))
        #expect(await eventually { service.incomingBytes.byteCount >= 89_000 })
        let second = try TestSocket(unixSocket: path)
        try second.send(String(repeating: "y", count: 90_000) + "\nshort\n")
        #expect(second.read(lineCount: 2) == "no room\nshort\n")
        try first.send("\n")
        #expect(first.read(lineCount: 1).utf8.count == 90_001)
        #expect(await eventually { service.incomingBytes.byteCount == 0 })
        // A client that leaves gives its room back.
        do {
            let third = try TestSocket(unixSocket: path)
            try third.send(String(repeating: "z", count: 90_000))
            #expect(await eventually { service.incomingBytes.byteCount >= 89_000 })
        }
        #expect(await eventually { service.incomingBytes.byteCount == 0 })
        try await server.stop()
    }

    @Test func givesUpTheSlowestWhenEventsTakeAllMemory() async throws {
        let bounds = ServingConfiguration(
            maximumLineByteCount: 1000, maximumOutgoingByteCount: 1 << 30,
            sharedByteCount: 4 << 20, ownByteCount: 64 << 10)
        let service = EchoService(bounds: bounds)
        let path = folder.socketPath
        let server = try await RunningServer(.init(unixSockets: [path]), service: service)
        let slow = try TestSocket(unixSocket: path)
        try slow.send("flood\n")
        #expect(await eventually { service.connections.first?.isClosed == true })
        #expect(await eventually { service.outgoingBytes.byteCount == 0 })
        let next = try TestSocket(unixSocket: path)
        try next.send("still here\n")
        #expect(next.read(lineCount: 1) == "still here\n")
        try await server.stop()
    }

    @Test func leavesDescriptorsForFiles() {
        let reserve = DescriptorLimit.reservedCount
        func count(_ limit: Int, inherited: Int = 0) -> Int {
            DescriptorLimit.connectionCount(wanted: 100, limit: limit, inherited: inherited)
        }
        #expect(count(99 + reserve) == 99)
        #expect(count(100 + reserve) == 100)
        #expect(count(101 + reserve) == 100)
        #expect(count(101 + reserve, inherited: 2) == 99)
        #expect(count(3) == 1)
        #expect(DescriptorLimit.raise() == DescriptorLimit.raise())
    }
}
