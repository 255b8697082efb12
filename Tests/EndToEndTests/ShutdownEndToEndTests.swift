import Foundation
import Glibc
import StrictJSON
import Testing

/// How signals end a server.
struct ShutdownEndToEndTests {
    private let base = ["--base", Checkout.model("tiny-llama")]

    /// A server that listens has its signals under watch.
    @Test func aSignalRightAfterTheStartIsNotLost() throws {
        for _ in 0..<8 { try RunningGraft(base).stop() }
    }

    @Test func aSignalBeforeTheServerIsReadyEndsIt() throws {
        for delay in stride(from: UInt32(0), to: 40_000, by: 4000) {
            let folder = try TemporaryDirectory()
            let server = try GraftProcess.start(
                ["serve", "--socket", folder.file("s")] + base)
            usleep(delay)
            server.terminate()
            #expect([0, -SIGTERM].contains(server.waitUntilExit()))
        }
    }

    @Test func whatWasAcceptedIsAnsweredFirst() throws {
        let folder = try TemporaryDirectory()
        let server = try GraftProcess.start(["serve", "--socket", folder.file("s")] + base)
        defer { server.kill() }
        let clients = try (0..<3).map { _ in try UnixClient(folder.file("s")) }
        for client in clients {
            client.send(#"{"id":1,"tokens":[1,5,9],"max_tokens":200,"ignore_eos":true}"#)
        }
        for client in clients { #expect(try client.next()?["event"]?.stringValue == "token") }
        server.terminate()
        for client in clients { #expect(try client.answer(1)?.tokens.count == 200) }
        #expect(server.waitUntilExit() == 0)
    }

    /// What is on its way to clients who have left must not reach event loops that have ended.
    @Test func clientsMayLeaveWhileTheServerDoes() throws {
        for _ in 0..<12 {
            let folder = try TemporaryDirectory()
            let errors = folder.file("errors")
            try Data().write(to: URL(fileURLWithPath: errors))
            let server = try ChildProcess(
                Checkout.executable,
                ["serve", "--socket", folder.file("s"), "--log-level", "error"] + base,
                errors: errors)
            defer { server.kill() }
            do {
                let clients = try (0..<40).map { _ in try UnixClient(folder.file("s")) }
                for client in clients {
                    client.send(#"{"id":1,"tokens":[1,5,9],"max_tokens":1500,"ignore_eos":true}"#)
                }
            }
            server.terminate()
            #expect(server.waitUntilExit() == 0)
            #expect(try Data(contentsOf: URL(fileURLWithPath: errors)).isEmpty)
        }
    }
}
