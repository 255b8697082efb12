import Foundation
import Serving
import Testing
import Transports

@Suite struct ServerTests {
    private let folder: SocketFolder

    init() throws { folder = try SocketFolder() }

    private static let local = ListenAddress(host: "127.0.0.1", port: 0)

    @Test func servesUnixAndTCPAtOnce() async throws {
        let path = folder.socketPath
        let server = try await RunningServer(
            .init(unixSockets: [path], addresses: [Self.local]))
        let first = try TestSocket(unixSocket: path)
        let second = try TestSocket(port: server.addresses[0].port)
        try first.send("one\n")
        try second.send("{two\r\n")
        #expect(first.read(lineCount: 1) == "one\n")
        #expect(second.read(lineCount: 1) == "{two\n")
        try await server.stop()
        #expect(first.readAll() == "")
    }

    @Test func understandsLinesHoweverTheyArrive() async throws {
        let server = try await RunningServer(.init(addresses: [Self.local]))
        let text = (0..<50).map { "{line \($0)\n" }.joined()
        let whole = try TestSocket(port: server.addresses[0].port)
        let single = try TestSocket(port: server.addresses[0].port)
        try whole.send(text)
        try single.send(text, byteByByte: true)
        #expect(whole.read(lineCount: 50) == text)
        #expect(single.read(lineCount: 50) == text)
        try await server.stop()
    }

    @Test func answersAfterTheClientsInputEnded() async throws {
        let server = try await RunningServer(.init(addresses: [Self.local]))
        let client = try TestSocket(port: server.addresses[0].port)
        try client.send("{hold\nlast without an end")
        client.endInput()
        #expect(client.read(lineCount: 1) == "last without an end\n")
        server.service.connections[0].answerHeld()
        #expect(client.readAll() == "held\n")
        try await server.stop()
    }

    @Test func skipsALineThatIsTooLongAndGoesOn() async throws {
        let server = try await RunningServer(.init(addresses: [Self.local]))
        let client = try TestSocket(port: server.addresses[0].port)
        try client.send("{" + String(repeating: "x", count: 100_000) + "\ngood\n")
        #expect(client.read(lineCount: 2) == "too long\ngood\n")
        try await server.stop()
    }

    @Test func closesTheConnectionOfAClientThatIsReset() async throws {
        let path = folder.socketPath
        let server = try await RunningServer(.init(unixSockets: [path], addresses: [Self.local]))
        let tcp = try TestSocket(port: server.addresses[0].port)
        try tcp.send("{flood\n")
        _ = tcp.read(lineCount: 3)
        tcp.reset()
        #expect(await eventually { server.service.connections[0].isClosed })
        let unix = try TestSocket(unixSocket: path)
        try unix.send("flood\n")
        _ = unix.read(lineCount: 3)
        unix.reset()
        #expect(await eventually { server.service.connections[1].isClosed })
        let next = try TestSocket(unixSocket: path)
        try next.send("still here\n")
        #expect(next.read(lineCount: 1) == "still here\n")
        try await server.stop()
    }

    @Test func givesUpAClientThatReadsTooSlowly() async throws {
        let service = EchoService(
            bounds: ServingConfiguration(
                maximumLineByteCount: 1000, maximumOutgoingByteCount: 1 << 20))
        let server = try await RunningServer(.init(addresses: [Self.local]), service: service)
        let slow = try TestSocket(port: server.addresses[0].port)
        try slow.send("{flood\n")
        #expect(await eventually { service.connections.first?.isClosed == true })
        let next = try TestSocket(port: server.addresses[0].port)
        try next.send("{still here\n")
        #expect(next.read(lineCount: 1) == "{still here\n")
        try await server.stop()
    }

    @Test func servesSixtyFourClientsAtOnce() async throws {
        let path = folder.socketPath
        let server = try await RunningServer(.init(unixSockets: [path]))
        let clients = try (0..<64).map { _ in try TestSocket(unixSocket: path) }
        for round in 0..<5 {
            for (number, client) in clients.enumerated() { try client.send("\(number) \(round)\n") }
            for (number, client) in clients.enumerated() {
                #expect(client.read(lineCount: 1) == "\(number) \(round)\n")
            }
        }
        #expect(server.service.connections.count == 64)
        try await server.stop()
    }

    @Test func takesManySmallLinesWithoutLosingOne() async throws {
        let server = try await RunningServer(.init(addresses: [Self.local]))
        let client = try TestSocket(port: server.addresses[0].port)
        let text = (0..<20_000).map { "{\($0)\n" }.joined()
        // A thread of its own: reading blocks this one.
        DispatchQueue.global().async { try? client.send(text) }
        let isEqual = client.read(lineCount: 20_000) == text
        #expect(isEqual)
        try await server.stop()
    }

    @Test func answersWhatWasAcceptedBeforeItEnds() async throws {
        let path = folder.socketPath
        let server = try await RunningServer(.init(unixSockets: [path]))
        let client = try TestSocket(unixSocket: path)
        try client.send("hold\nhold\nx\n")
        #expect(client.read(lineCount: 1) == "x\n")
        try await server.stop()
        #expect(client.readAll() == "held\nheld\n")
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func endsAlthoughAClientDoesNotRead() async throws {
        let server = try await RunningServer(.init(addresses: [Self.local]))
        let client = try TestSocket(port: server.addresses[0].port)
        try client.send("{flood\n")
        _ = client.read(lineCount: 1)
        server.service.abort()
        try await server.stop()
        #expect(server.service.connections[0].isClosed)
    }

    @Test func saysWhyItCannotListen() async throws {
        let server = try await RunningServer(.init(addresses: [Self.local]))
        let taken = server.addresses[0]
        await #expect {
            _ = try await RunningServer(.init(addresses: [taken]))
        } throws: { error in
            guard case TransportError.cannotListen(let address, _) = error else { return false }
            return address == taken.description
        }
        try await server.stop()
    }
}
