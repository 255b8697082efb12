import Foundation
import Glibc
import Testing
import Transports

@Suite struct UnixSocketFileTests {
    private let folder: SocketFolder

    init() throws { folder = try SocketFolder() }

    @Test func isForThisUserOnly() async throws {
        let path = folder.socketPath
        let server = try await RunningServer(.init(unixSockets: [path]))
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        try await server.stop()
    }

    @Test func hasTheModeAndGroupThatAreAskedFor() async throws {
        let path = folder.socketPath
        var endpoints = Server.Endpoints(unixSockets: [path])
        endpoints.socketAccess = SocketAccess(mode: 0o660, group: getegid())
        let server = try await RunningServer(endpoints)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o660)
        #expect(attributes[.groupOwnerAccountID] as? UInt32 == getegid())
        try await server.stop()
    }

    @Test(arguments: [
        ("0600", 0o600), ("660", 0o660), ("0o666", 0o666), ("0", 0), ("777", 0o777),
    ])
    func readsModesInOctal(text: String, mode: UInt32) throws {
        #expect(try SocketAccess.mode(parsing: text) == mode)
    }

    @Test(arguments: ["", "8", "u+w", "1000", "-1", "0x1FF", "99999999999999999999"])
    func refusesOtherModes(text: String) {
        #expect(throws: TransportError.invalidSocketMode(text)) {
            try SocketAccess.mode(parsing: text)
        }
    }

    @Test func findsGroups() throws {
        #expect(try SocketAccess.group(named: "root") == 0)
        #expect(try SocketAccess.group(named: "12345") == 12345)
        for name in ["no-such-group-here", "", "4294967296"] {
            #expect(throws: TransportError.unknownGroup(name)) {
                try SocketAccess.group(named: name)
            }
        }
    }

    /// Each finds the same stale file; whoever comes second must see that the first one lives.
    @Test func letsOneOfTwoThatStartAtOnceHaveTheSocket() async throws {
        let path = folder.socketPath
        for _ in 0..<40 {
            try leaveStaleSocket(at: path)
            async let first = try? RunningServer(.init(unixSockets: [path]))
            async let second = try? RunningServer(.init(unixSockets: [path]))
            let servers = await [first, second].compactMap { $0 }
            #expect(servers.count == 1)
            let client = try TestSocket(unixSocket: path)
            try client.send("x\n")
            #expect(client.read(lineCount: 1) == "x\n")
            for server in servers { try await server.stop() }
        }
    }

    @Test func refusesASocketThatIsInUse() async throws {
        let path = folder.socketPath
        let server = try await RunningServer(.init(unixSockets: [path]))
        await #expect(throws: TransportError.socketInUse(path: path)) {
            _ = try await RunningServer(.init(unixSockets: [path]))
        }
        let client = try TestSocket(unixSocket: path)
        try client.send("undisturbed\n")
        #expect(client.read(lineCount: 1) == "undisturbed\n")
        try await server.stop()
    }

    @Test func replacesAStaleSocket() async throws {
        let path = folder.socketPath
        try leaveStaleSocket(at: path)
        let server = try await RunningServer(.init(unixSockets: [path]))
        let client = try TestSocket(unixSocket: path)
        try client.send("x\n")
        #expect(client.read(lineCount: 1) == "x\n")
        try await server.stop()
    }

    @Test func leavesOtherFilesAlone() async throws {
        let path = folder.socketPath
        try Data("precious".utf8).write(to: URL(filePath: path))
        await #expect(throws: TransportError.notASocket(path: path)) {
            _ = try await RunningServer(.init(unixSockets: [path]))
        }
        #expect(try String(contentsOf: URL(filePath: path), encoding: .utf8) == "precious")
    }

    @Test func refusesAPathThatIsTooLong() async {
        let path = "/tmp/" + String(repeating: "x", count: 200)
        await #expect(throws: TransportError.socketPathTooLong(path, limit: 107)) {
            _ = try await RunningServer(.init(unixSockets: [path]))
        }
    }

    @Test func explainsItself() {
        #expect(
            TransportError.socketInUse(path: "/s").description
                == "/s: another process listens there: stop it or choose another path")
        #expect(
            TransportError.notASocket(path: "/s").description
                == "/s: exists and is not a socket: remove it or choose another path")
        #expect(
            TransportError.socketPathTooLong("/s", limit: 107).description
                == "/s: a Unix socket's path has at most 107 bytes: choose a shorter one")
        #expect(
            TransportError.invalidSocketMode("9").description
                == "'9' is no mode of a file: give octal digits from 0 to 777, for example 660")
        #expect(
            TransportError.unknownGroup("g").description
                == "there is no group 'g' on this machine: create it, or give another name or a number"
        )
        #expect(
            TransportError.cannotListen(address: "a:1", reason: "in use").description
                == "can't listen on a:1: in use")
    }

    /// As a process does that was killed.
    private func leaveStaleSocket(at path: String) throws {
        let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        #expect(isBound)
        close(stale)
    }
}
