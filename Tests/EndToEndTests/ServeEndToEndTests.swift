import Adapters
import Foundation
import StrictJSON
import Testing

/// The program as users start it.
struct ServeEndToEndTests {
    private func arguments(_ base: String, _ adapters: [String]) -> [String] {
        ["--base", base] + adapters.flatMap { ["--adapter", "\($0)=\(Checkout.adapter($0))"] }
    }

    @Test func oneRequestIsAnsweredFromEveryKindOfBase() throws {
        let folder = try TemporaryDirectory()
        let packed = folder.file("model.bin")
        #expect(
            try GraftProcess.run(["pack", "--base", Checkout.model("tiny-llama"), "--out", packed])
                .status == 0)
        let request =
            #"{"id":1,"prompt":"A contract is","adapter":"law","max_tokens":16,"temperature":0}"#
        var answers: [[Int]] = []
        for base in [
            Checkout.model("tiny-llama"), Checkout.model("tiny-llama/model.safetensors"), packed,
            Checkout.model("gguf/tiny-llama-F32.gguf"),
        ] {
            let events = try GraftProcess.serve(arguments(base, ["law"]), [request])
            let done = try #require(events.done(1))
            #expect(events.of(1).filter { $0["event"]?.stringValue == "token" }.count == 16)
            #expect(done["finish_reason"]?.stringValue == "length")
            #expect(done.answered.first?["name"]?.stringValue == "law")
            #expect(done.answered.first?["hash"]?.stringValue?.count == 64)
            let streamed = events.of(1).compactMap { $0["text"]?.stringValue }.dropLast().joined()
            #expect(done["text"]?.stringValue == streamed)
            answers.append(done.tokens)
        }
        #expect(Set(answers).count == 1)
    }

    @Test func theAdapterNotTheBaseAnswers() throws {
        let events = try GraftProcess.serve(
            arguments(Checkout.model("tiny-llama"), ["law", "medicine"]),
            [
                #"{"id":1,"prompt":"A contract is","max_tokens":12,"temperature":0}"#,
                #"{"id":2,"prompt":"A contract is","adapter":"law","max_tokens":12,"temperature":0}"#,
                #"{"id":3,"prompt":"A contract is","adapter":"medicine","max_tokens":12,"temperature":0}"#,
                #"{"id":4,"prompt":"A contract is","adapter":"absent","max_tokens":12}"#,
            ])
        let tokens = (1...3).map { events.done($0)?.tokens ?? [] }
        #expect(Set(tokens).count == 3)
        #expect(events.done(1)?.answered.isEmpty == true)
        let error = try #require(events.of(4).first)
        #expect(error["code"]?.stringValue == "adapter_not_found")
        #expect(error["message"]?.stringValue?.contains("law") == true)
    }

    @Test func eightClientsWithEightAdaptersShareStepsAndGetWhatTheyGetAlone() throws {
        let names = [
            "law", "medicine", "patterns", "rslora", "rank-1", "rank-64", "prefix", "regex",
        ]
        func request(_ name: String, id: Int) -> String {
            #"{"id":\#(id),"tokens":[1,40,300,77,12],"adapter":"\#(name)","max_tokens":200,"#
                + #""temperature":0,"stream":false,"ignore_eos":true}"#
        }
        let alone = try names.map { name in
            try GraftProcess.serve(
                arguments(Checkout.model("tiny-llama"), [name]) + ["--draft-tokens", "0"],
                [request(name, id: 1)]
            ).done(1)?.tokens
        }
        let folder = try TemporaryDirectory()
        let socket = folder.file("graft.sock")
        let server = try GraftProcess.start(
            ["serve", "--socket", socket] + arguments(Checkout.model("tiny-llama"), names))
        defer { server.kill() }
        // All are connected before the first one asks, so that their requests meet.
        let clients = try names.map { _ in try UnixClient(socket) }
        for (index, name) in names.enumerated() { clients[index].send(request(name, id: index)) }
        let answers = try clients.enumerated().map { index, client in
            try client.answer(index)?.tokens
        }
        for (index, name) in names.enumerated() {
            #expect(answers[index] == alone[index], "\(name)")
        }

        let client = try UnixClient(socket)
        client.send(#"{"op":"stats","id":1}"#)
        let steps = try client.next()?["steps"]?.objectValue
        #expect((steps?["most_selections"]?.intValue ?? 0) > 1)
        server.terminate()
        #expect(server.waitUntilExit() == 0)
    }

    @Test func mergingLiveKeepsBaseAndOthersAndUnmergingRestoresEveryBit() throws {
        func score(_ id: Int, _ adapter: String) -> String {
            #"{"id":\#(id),"tokens":[1,40,300,77,12],"adapter":\#(adapter),"max_tokens":0,"#
                + #""prompt_logprobs":3}"#
        }
        let law = #""law""#
        let medicine = #""medicine""#
        // Each line waits for nothing: a client that needs an order awaits the answers.
        let folder = try TemporaryDirectory()
        let socket = folder.file("graft.sock")
        let server = try GraftProcess.start(
            ["serve", "--socket", socket]
                + arguments(Checkout.model("tiny-llama"), ["law", "medicine"]))
        defer { server.kill() }
        let client = try UnixClient(socket)
        func logprobs(_ id: Int, _ adapter: String) throws -> (JSONValue?, JSONObject?) {
            client.send(score(id, adapter))
            let prompt = try client.next()
            return (prompt?["prompt_logprobs"], try client.answer(id))
        }
        func operate(_ line: String, expecting event: String) throws {
            client.send(line)
            #expect(try client.next()?["event"]?.stringValue == event)
        }
        let before = try (logprobs(1, law), logprobs(2, medicine), logprobs(3, "null"))
        try operate(#"{"op":"merge_adapter","name":"law","id":4}"#, expecting: "adapter_merged")
        let merged = try (logprobs(5, law), logprobs(6, medicine), logprobs(7, "null"))
        #expect(merged.0.1?.answered.first?["merged"]?.boolValue == true)
        #expect(merged.1.0 == before.1.0)
        #expect(merged.2.0 == before.2.0)
        try operate(#"{"op":"unmerge_adapter","name":"law","id":8}"#, expecting: "adapter_unmerged")
        let after = try logprobs(9, law)
        #expect(after.0 == before.0.0)
        #expect(after.1?.answered.first?["merged"] == nil)
    }

    @Test(arguments: ["hot", "auto"])
    func trafficMergesWithinRounding(mode: String) throws {
        let folder = try TemporaryDirectory()
        let socket = folder.file("graft.sock")
        let server = try GraftProcess.start(
            ["serve", "--socket", socket, "--merge", mode, "--prefix-cache", "off"]
                + arguments(Checkout.model("tiny-llama"), ["law", "medicine"]))
        defer { server.kill() }
        let client = try UnixClient(socket)
        func score(_ id: Int, _ adapter: String) throws -> ([Double], JSONObject?) {
            client.send(
                #"{"id":\#(id),"tokens":[1,40,300,77,12],"adapter":\#(adapter),"max_tokens":0,"#
                    + #""prompt_logprobs":3}"#)
            let entries = try client.next()?["prompt_logprobs"]?.arrayValue ?? []
            let logprobs = entries.compactMap {
                $0.arrayValue?.first?.objectValue?["logprob"]?.doubleValue
            }
            return (logprobs, try client.answer(id))
        }
        let base = try score(1, "null").0
        let attached = try score(2, #""law""#)
        #expect(attached.1?.answered.first?["merged"] == nil)
        // The adapter takes over the traffic and is merged some time after.
        var merged: [Double]?
        for id in 3..<3000 where merged == nil {
            let (logprobs, done) = try score(id, #""law""#)
            if done?.answered.first?["merged"]?.boolValue == true {
                merged = logprobs
            } else {
                #expect(logprobs == attached.0)
            }
        }
        let found = try #require(merged)
        #expect(found.count == 4)
        #expect(zip(found, attached.0).allSatisfy { abs($0 - $1) < 1e-3 })
        #expect(try score(4000, "null").0 == base)
        // Other traffic takes over, and it is dropped again.
        var isAttached = false
        for id in 5000..<8000 where !isAttached {
            _ = try score(id, #""medicine""#)
            guard id % 50 == 0 else { continue }
            let (logprobs, done) = try score(id + 10_000, #""law""#)
            isAttached = done?.answered.first?["merged"] == nil
            if isAttached { #expect(logprobs == attached.0) }
        }
        #expect(isAttached)
    }

    @Test func matricesLargerThanBlocksAreMergedOnlyWhereTheyMustBe() throws {
        let folder = try TemporaryDirectory()
        for mode in ["hot", "auto"] {
            let socket = folder.file("\(mode).sock")
            let server = try GraftProcess.start(
                ["serve", "--socket", socket, "--merge", mode, "--quantize", "q8"]
                    + arguments(Checkout.model("tiny-llama"), ["law"]))
            defer { server.kill() }
            let client = try UnixClient(socket)
            var isMerged = false
            // Merging takes some milliseconds from the 16th request on.
            for id in 1..<(mode == "hot" ? 3000 : 300) where !isMerged {
                client.send(
                    #"{"id":\#(id),"tokens":[1,40,300],"adapter":"law","max_tokens":1}"#)
                isMerged = try client.answer(id)?.answered.first?["merged"]?.boolValue == true
            }
            #expect(isMerged == (mode == "hot"))
        }
    }

    @Test func aDirectoryOfAdaptersIsServedByTheirNames() throws {
        let folder = try TemporaryDirectory()
        for name in ["law", "medicine", "rank-1"] {
            try FileManager.default.copyItem(
                atPath: Checkout.adapter(name), toPath: folder.file(name))
        }
        _ = try AdapterConversion(
            from: Checkout.adapter("law"), basePath: Checkout.model("tiny-llama")
        ).write(as: .gguf, to: folder.file("law-of-llama.gguf"))
        let lines = ["law", "medicine", "law-of-llama"].enumerated().map { index, name in
            #"{"id":\#(index),"tokens":[1,40,300],"adapter":"\#(name)","max_tokens":8,"#
                + #""temperature":0,"stream":false}"#
        }
        let base = ["--base", Checkout.model("tiny-llama")]
        let lazy = try GraftProcess.serve(
            base + ["--adapter-dir", folder.path, "--adapter-memory", "300K"], lines)
        let named = try GraftProcess.serve(
            arguments(Checkout.model("tiny-llama"), ["law", "medicine"]), lines)
        for id in 0..<2 {
            #expect(lazy.done(id)?.tokens.isEmpty == false)
            #expect(lazy.done(id)?.tokens == named.done(id)?.tokens)
            #expect(lazy.done(id)?.answered == named.done(id)?.answered)
        }
        #expect(lazy.done(2)?.tokens == named.done(0)?.tokens)
    }

    @Test func aMixIsAskedForByWeights() throws {
        let events = try GraftProcess.serve(
            arguments(Checkout.model("tiny-llama"), ["law", "medicine", "prefix", "prefix-long"]),
            [
                #"{"id":1,"tokens":[1,40,300],"adapter":{"law":0.7,"medicine":-0.3},"max_tokens":4,"temperature":0}"#,
                #"{"id":2,"tokens":[1,40,300],"adapter":{"law":1,"prefix":1},"max_tokens":4,"temperature":0}"#,
                #"{"id":3,"tokens":[1,40,300],"adapter":{"prefix-long":1,"prefix":0.5},"max_tokens":4}"#,
            ])
        #expect(events.done(1)?.answered.map { $0["weight"]?.doubleValue } == [0.7, -0.3])
        #expect(events.done(2)?.answered.count == 2)
        #expect(events.of(3).first?["code"]?.stringValue == "adapter_incompatible")
    }

    @Test func aBrokenAdapterDisturbsNoOne() throws {
        let folder = try TemporaryDirectory()
        let broken = folder.file("broken")
        try FileManager.default.copyItem(atPath: Checkout.adapter("law"), toPath: broken)
        let weights = broken + "/adapter_model.safetensors"
        let bytes = try Data(contentsOf: URL(fileURLWithPath: weights))
        try bytes.dropLast(100).write(to: URL(fileURLWithPath: weights))
        let events = try GraftProcess.serve(
            arguments(Checkout.model("tiny-llama"), ["law"]),
            [
                #"{"op":"load_adapter","name":"broken","path":"\#(broken)","id":1}"#,
                #"{"id":2,"tokens":[1,5],"adapter":"law","max_tokens":3,"ignore_eos":true}"#,
                #"{"op":"load_adapter","name":"frod","path":"\#(Checkout.path("Tests/Goldens/methods/frod/drawn-again"))","id":3}"#,
                "not json",
            ])
        #expect(events.of(1).first?["code"]?.stringValue == "adapter_invalid")
        #expect(events.of(1).first?["message"]?.stringValue?.contains(broken) == true)
        #expect(events.done(2)?.tokens.count == 3)
        #expect(events.of(3).first?["message"]?.stringValue?.contains("save_projection") == true)
        #expect(events.contains { $0["code"]?.stringValue == "bad_json" })
    }
}
