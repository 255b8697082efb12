import Foundation
import Logging
import Serving
import StrictJSON
import Synchronization
import Tokenization

/// One connection to a server of stand-ins: lines go in, events are collected.
final class Desk: Sendable {
    let generator: ScriptedGenerator
    let adapters: ListedAdapters
    let service: Service
    let session: LineSession
    private let output: Output

    private final class Output: Sendable {
        let lines = Mutex<[String]>([])
    }

    init(
        tokenizer: (any Tokenizer)? = ByteTokenizer(), rights: ClientRights = .owner,
        configuration: ServingConfiguration = .init(preparationLaneCount: 0),
        log: CollectedLog = CollectedLog(), contextTokenCount: Int = 1 << 30,
        adapters: ListedAdapters = ListedAdapters()
    ) {
        self.adapters = adapters
        generator = ScriptedGenerator(contextTokenCount: contextTokenCount)
        let output = Output()
        self.output = output
        service = Service(
            context: ServerContext(
                generator: generator, adapters: adapters, tokenizer: tokenizer,
                configuration: configuration,
                logger: log.logger))
        session = service.makeSession(rights: rights) { line in
            output.lines.withLock { $0.append(line) }
        }
    }

    /// Everything written so far.
    var text: String { output.lines.withLock { $0.joined() } }

    func receive(_ line: String) {
        session.receive(.line(Array(line.utf8)))
    }

    /// Another connection to the same server, whose events nobody sees.
    func otherSession() -> LineSession {
        service.makeSession(rights: .owner) { _ in }
    }

    /// Takes the events that have come, once there are as many; up to a minute.
    func events(count: Int) async throws -> [JSONObject] {
        for _ in 0..<6000 {
            if output.lines.withLock({ $0.count }) >= count { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        return try events()
    }

    /// Sends a line and takes the events that have come since the last time.
    @discardableResult
    func events(after line: String? = nil) throws -> [JSONObject] {
        if let line { receive(line) }
        let lines = output.lines.withLock { lines in
            defer { lines = [] }
            return lines
        }
        return try lines.compactMap { try JSONValue(parsing: $0).objectValue }
    }

    /// The code and the field of the only event, an error.
    func failure(_ line: String) throws -> Failure {
        let events = try events(after: line)
        guard events.count == 1, events[0]["event"]?.stringValue == "error" else {
            return Failure(
                code: "no single error: \(events.count) events", field: nil, id: nil, message: "")
        }
        return Failure(
            code: events[0]["code"]?.stringValue ?? "", field: events[0]["field"]?.stringValue,
            id: events[0]["id"], message: events[0]["message"]?.stringValue ?? "")
    }

    struct Failure: Equatable {
        let code: String
        let field: String?
        let id: JSONValue?
        let message: String
    }
}
