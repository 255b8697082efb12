import Foundation
import StrictJSON
import Testing

/// `graft serve` on a Unix socket, with one client that waits for each answer.
final class RunningGraft {
    private let folder: TemporaryDirectory
    private let process: ChildProcess
    private let client: UnixClient
    private var nextID = 0

    init(_ arguments: [String]) throws {
        folder = try TemporaryDirectory()
        let socket = folder.file("graft.sock")
        process = try GraftProcess.start(["serve", "--socket", socket] + arguments)
        client = try UnixClient(socket)
    }

    /// Sends an object with these members and waits for the answer: a `done` or `error` event, or
    /// the only event of an operation.
    func ask(_ members: String) throws -> JSONObject {
        nextID += 1
        client.send("{\"id\":\(nextID),\(members)}")
        while let event = try client.next() {
            let kind = event["event"]?.stringValue
            if event["id"]?.intValue == nextID, kind != "token", kind != "prompt" { return event }
        }
        throw UnexpectedOutput(line: "the server closed the connection")
    }

    var processIdentifier: Int32 { process.identifier }

    /// Shuts down; what is left is answered first.
    func stop() throws {
        process.terminate()
        #expect(process.waitUntilExit() == 0)
    }

    deinit { process.kill() }
}

extension JSONObject {
    var cachedTokenCount: Int? {
        self["usage"]?.objectValue?["cached_tokens"]?.intValue
    }
}
