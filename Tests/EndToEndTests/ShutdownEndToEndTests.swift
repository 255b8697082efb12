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

    /// As soon as it runs, and once it has said that it serves and that it listens.
    @Test(arguments: [nil, "serving", "listening"])
    func aSignalBeforeTheServerIsReadyEndsIt(line: String?) throws {
        for _ in 0..<3 {
            let server = try LoggedGraft(["--socket", "SOCKET"] + base)
            if let line { try server.waitForLog(line) }
            server.process.terminate()
            #expect([0, -SIGTERM].contains(server.process.waitUntilExit(seconds: 60)))
        }
    }

    /// Requests that take long, one after the other, given up with the second signal.
    @Test func theSecondSignalGivesRequestsUp() throws {
        let server = try LoggedGraft(["--socket", "SOCKET", "--max-sequences", "1"] + base)
        let client = try server.connect()
        let count = 400
        for id in 0..<count {
            client.send(
                #"{"id":\#(id),"tokens":[1,\#(id % 500)],"max_tokens":1000000,"ignore_eos":true,"#
                    + #""stream":false,"temperature":1}"#)
        }
        // Answered when the lines before it are accepted; answers of those may come first.
        client.send(#"{"op":"stats","id":"accepted"}"#)
        while try client.next()?["id"] != .string("accepted") {}
        server.process.terminate()
        // The signal takes its time; what comes before it waits behind the others.
        var isRefused = false
        for number in 0..<1000 where !isRefused {
            client.send(#"{"id":"late","prompt":"x","max_tokens":0}"#)
            client.send(#"{"op":"stats","id":\#(count + number)}"#)
            while let event = try client.next(), event["id"] != .integer(Int64(count + number)) {
                if event["code"]?.stringValue == "shutting_down" { isRefused = true }
            }
        }
        #expect(isRefused)
        server.process.terminate()
        var codes: [String] = []
        while let event = try client.next() { codes.append(event["code"]?.stringValue ?? "done") }
        #expect(codes.contains("shutting_down"))
        #expect(codes.count <= count + 1)
        #expect(server.process.waitUntilExit(seconds: 60) == 1)
    }

    /// Standard output takes nothing: neither a signal nor two are held up by it.
    @Test(arguments: [1, 2, 3])
    func aStalledReaderOfStandardOutputHoldsNothingUp(signalCount: Int) throws {
        let folder = try TemporaryDirectory()
        let (input, output) = (try NamedPipe(folder.file("in")), try NamedPipe(folder.file("out")))
        let server = try LoggedGraft(
            ["--stdio", "--socket", "SOCKET"] + base, input: input.path, output: output.path)
        let text = String(repeating: "many tokens ", count: 2000)
        for number in 0..<200 {
            input.send(#"{"op":"tokenize","id":\#(number),"text":"\#(text)"}"# + "\n")
        }
        // Those of sockets are served meanwhile.
        let client = try server.connect()
        #expect(try client.ask(#"{"op":"stats"}"#)["event"]?.stringValue == "stats")
        for _ in 0..<signalCount {
            server.process.terminate()
            usleep(50_000)
        }
        let status = server.process.waitUntilExit(seconds: 60)
        #expect(status == (signalCount == 1 ? 0 : 1))
        if signalCount == 1 { #expect(try server.log().contains("did not take all answers")) }
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
