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
            TransportError.cannotListen(address: "a:1", reason: "in use").description
                == "can't listen on a:1: in use")
    }
}
