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
        let files = try TemporaryDirectory()
        for name in ["in", "out", "err"] {
            try Data(name == "in" ? Array(input.utf8) : []).write(
                to: URL(fileURLWithPath: files.file(name)))
        }
        let process = try ChildProcess(
            Checkout.executable, arguments, environment: environment, input: files.file("in"),
            output: files.file("out"),
            errors: files.file("err"))
        let status = process.waitUntilExit()
        func text(_ name: String) throws -> String {
            String(
                decoding: try Data(contentsOf: URL(fileURLWithPath: files.file(name))),
                as: UTF8.self)
        }
        return Finished(
            status: status, output: try text("out"), errors: try text("err"))
    }

    /// Serves some request lines over standard input and returns the events.
    static func serve(_ arguments: [String], _ requests: [String]) throws -> [JSONObject] {
        let finished = try run(
            ["serve"] + arguments, input: requests.map { $0 + "\n" }.joined())
        guard finished.status == 0 else { throw UnexpectedOutput(line: finished.errors) }
        return try finished.events()
    }

    /// Starts the program without input; its output is lost.
    static func start(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(Checkout.executable, arguments)
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
