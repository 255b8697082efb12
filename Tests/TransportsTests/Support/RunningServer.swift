import Foundation
import Logging
import Synchronization
import Transports

/// A server that runs beside the test.
final class RunningServer: Sendable {
    let service: EchoService
    let addresses: [ListenAddress]
    private let task: Task<Void, any Error>

    /// Returns when it listens.
    init(_ endpoints: Server.Endpoints, service: EchoService = EchoService()) async throws {
        self.service = service
        let (stream, continuation) = AsyncStream.makeStream(of: [ListenAddress].self)
        let server = Server(
            service: service, endpoints: endpoints, logger: Self.silent,
            onListening: { continuation.yield($0) })
        task = Task {
            defer { continuation.finish() }
            try await server.run()
        }
        guard let addresses = await stream.first(where: { _ in true }) else {
            try await task.value
            throw CancellationError()
        }
        self.addresses = addresses
    }

    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    /// Shuts the server down; returns when it is over.
    func stop() async throws {
        service.requestShutdown()
        try await task.value
    }

    /// Returns when the server is over by itself.
    func wait() async throws {
        try await task.value
    }
}

/// A directory for a test's socket, removed with the last reference. Its path is short, as a
/// socket's must be.
final class SocketFolder: Sendable {
    private let path = "/tmp/graft-\(UUID().uuidString.prefix(8))"

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    var socketPath: String { path + "/s" }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Waits until the condition holds, up to two minutes.
func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<12_000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return condition()
}

/// Runs what may block on a thread of its own: those of tasks are few.
func apart<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: body()) }
    }
}
