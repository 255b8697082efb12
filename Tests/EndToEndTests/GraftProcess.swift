import Foundation
import StrictJSON

/// What a finished run of the program left behind.
struct Finished {
    let status: Int32
    let output: String
    let errors: String

    var lines: [String] { output.split(separator: "\n").map(String.init) }

    /// Every output line as an object.
    func events() throws -> [JSONObject] {
        try lines.map { line in
            guard let object = try JSONValue(parsing: line).objectValue else {
                throw UnexpectedOutput(line: line)
            }
            return object
        }
    }
}

struct UnexpectedOutput: Error { let line: String }

/// Runs the program under test.
enum GraftProcess {
    /// Runs to the end.
    ///
    /// - Parameters:
    ///   - input: what it reads on standard input.
    ///   - environment: variables beside those of this process, or instead of them.
    static func run(
        _ arguments: [String], input: String = "", environment: [String: String] = [:]
    ) throws -> Finished {
        let process = make(arguments)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let files = try TemporaryDirectory()
        for name in ["in", "out", "err"] {
            try Data(name == "in" ? Array(input.utf8) : []).write(
                to: URL(fileURLWithPath: files.file(name)))
        }
        process.standardInput = FileHandle(forReadingAtPath: files.file("in"))
        process.standardOutput = FileHandle(forWritingAtPath: files.file("out"))
        process.standardError = FileHandle(forWritingAtPath: files.file("err"))
        try process.run()
        process.waitUntilExit()
        func text(_ name: String) throws -> String {
            String(
                decoding: try Data(contentsOf: URL(fileURLWithPath: files.file(name))),
                as: UTF8.self)
        }
        return Finished(
            status: process.terminationStatus, output: try text("out"), errors: try text("err"))
    }

    /// Serves some request lines over standard input and returns the events.
    static func serve(_ arguments: [String], _ requests: [String]) throws -> [JSONObject] {
        let finished = try run(
            ["serve"] + arguments, input: requests.map { $0 + "\n" }.joined())
        guard finished.status == 0 else { throw UnexpectedOutput(line: finished.errors) }
        return try finished.events()
    }

    static func make(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Checkout.executable)
        process.arguments = arguments
        return process
    }
}

extension [JSONObject] {
    /// The events of one request.
    func of(_ id: Int) -> [JSONObject] { filter { $0["id"]?.intValue == id } }

    /// The request's `done` event.
    func done(_ id: Int) -> JSONObject? { of(id).last { $0["event"]?.stringValue == "done" } }
}

extension JSONObject {
    var tokens: [Int] { self["tokens"]?.arrayValue?.compactMap(\.intValue) ?? [] }

    /// Adapters that answered, from a `done` event.
    var answered: [JSONObject] {
        self["adapter"]?.arrayValue?.compactMap(\.objectValue) ?? []
    }
}
