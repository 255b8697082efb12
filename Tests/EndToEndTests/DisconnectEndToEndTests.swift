import Foundation
import Glibc
import StrictJSON
import Testing

/// Clients that leave, wait or read nothing, in every phase of a request; nothing of theirs stays.
struct DisconnectEndToEndTests {
    private static let adapter = ["--adapter", "law=" + Checkout.adapter("law")]

    private func server(_ extra: [String] = []) throws -> LoggedGraft {
        try LoggedGraft(
            ["--socket", "SOCKET", "--base", Checkout.model("tiny-llama")] + Self.adapter + extra)
    }

    private func endless(_ id: Int, promptCount: Int = 4, streams: Bool = true) -> String {
        let tokens = (0..<promptCount).map { "\(1 + $0 % 300)" }.joined(separator: ",")
        return #"{"id":\#(id),"tokens":[\#(tokens)],"adapter":"law","max_tokens":100000,"#
            + #""ignore_eos":true,"temperature":1,"stream":\#(streams)}"#
    }

    /// Waits until nothing runs or waits and the adapter is in nobody's hands.
    private func expectNothingLeft(_ client: UnixClient) throws {
        let deadline = Date().addingTimeInterval(20)
        while true {
            let requests = try client.ask(#"{"op":"stats"}"#)["requests"]?.objectValue
            let adapters = try client.ask(#"{"op":"list_adapters"}"#)["adapters"]?.arrayValue
            let inUse = adapters?.first?.objectValue?["in_use"]
            if requests?["running"] == .integer(0), requests?["waiting"] == .integer(0),
                inUse == .integer(0)
            {
                return
            }
            guard Date() < deadline else {
                Issue.record("something is left: \(String(describing: requests))")
                return
            }
        }
    }

    @Test(arguments: [true, false])
    func requestsEndWithTheirClients(streams: Bool) throws {
        let server = try server(
            ["--max-sequences", "2", "--prefill-chunk", "1", "--prefill-budget", "1"])
        let watcher = try server.connect()
        // While it is read, while it generates, and while it waits behind others.
        for promptCount in [250, 4] {
            do {
                let client = try server.connect()
                for id in 0..<4 {
                    client.send(endless(id, promptCount: promptCount, streams: streams))
                }
                usleep(20_000)
            }
            try expectNothingLeft(watcher)
        }
        // Each kind of end leaves the adapter free.
        #expect(
            try watcher.ask(#"{"op":"unload_adapter","name":"law"}"#)["event"]?.stringValue
                == "adapter_unloaded")
    }

    @Test func everyEndLetsGoOfTheAdapter() throws {
        let server = try server(["--max-sequences", "2", "--context", "256"])
        let client = try server.connect()
        let load = #"{"op":"load_adapter","name":"law","path":"\#(Checkout.adapter("law"))"}"#
        func short(_ members: String) -> String {
            #"{"id":1,"tokens":[1,5,9],"adapter":"law","max_tokens":4,"ignore_eos":true,\#(members)}"#
        }
        let ends = [
            short(#""stream":true"#), short(#""stop":"e""#), short(#""timeout_ms":1"#),
            endless(1, promptCount: 300), short(#""temperature":-1"#),
            #"{"id":1,"tokens":[1],"adapter":{"law":1,"absent":1}}"#,
        ]
        for line in ends {
            #expect(try client.answer(1, after: line) != nil, "\(line)")
            #expect(
                try client.ask(#"{"op":"unload_adapter","name":"law"}"#)["event"]?.stringValue
                    == "adapter_unloaded", "\(line)")
            #expect(try client.ask(load)["event"]?.stringValue == "adapter_loaded")
        }
        for id in 0..<4 { client.send(endless(id)) }
        for id in 0..<4 { client.send(#"{"op":"cancel","id":\#(id)}"#) }
        var cancelledCount = 0
        while cancelledCount < 4, let event = try client.next() {
            if event["finish_reason"]?.stringValue == "cancelled" { cancelledCount += 1 }
        }
        #expect(cancelledCount == 4)
        try expectNothingLeft(client)
    }

    @Test func aClientThatEndedItsInputIsAnswered() throws {
        let server = try server()
        let client = try server.connect()
        client.send(
            #"{"id":1,"tokens":[1,5,9],"adapter":"law","max_tokens":50,"ignore_eos":true}"#)
        client.endInput()
        #expect(try client.answer(1)?.tokens.count == 50)
        #expect(try client.next() == nil)
    }

    @Test func clientsThatReadNothingDelayNobody() throws {
        let server = try server()
        let readers = try (0..<8).map { _ in try server.connect() }
        for reader in readers { for id in 0..<4 { reader.send(endless(id)) } }
        let client = try server.connect()
        client.send(#"{"id":1,"tokens":[1,5],"max_tokens":4,"ignore_eos":true}"#)
        #expect(try client.answer(1)?.tokens.count == 4)
    }

    /// Connections and requests come and go; descriptors are as many as before.
    @Test func roundsLeaveNoDescriptorsBehind() throws {
        let server = try server()
        let table = "/proc/\(server.process.identifier)/fd"
        let load =
            #"{"op":"load_adapter","name":"other","path":"\#(Checkout.adapter("medicine"))"}"#
        var counts: [Int] = []
        for round in 0..<40 {
            do {
                let client = try server.connect()
                #expect(try client.ask(load)["event"]?.stringValue == "adapter_loaded")
                client.send(endless(1))
                client.send(#"{"op":"cancel","id":1}"#)
                #expect(try client.answer(1)?["finish_reason"]?.stringValue == "cancelled")
                client.send(#"{"id":2,"tokens":[1,5],"adapter":"other","max_tokens":2}"#)
                #expect(try client.answer(2)?["event"]?.stringValue == "done")
                #expect(
                    try client.ask(#"{"op":"unload_adapter","name":"other"}"#)["event"]?.stringValue
                        == "adapter_unloaded")
            }
            if round == 9 || round == 39 {
                let watcher = try server.connect()
                while try watcher.ask(#"{"op":"stats"}"#)["connections"] != .integer(1) {}
                counts.append(try FileManager.default.contentsOfDirectory(atPath: table).count)
            }
        }
        #expect(counts[1] <= counts[0] + 1)
    }
}
