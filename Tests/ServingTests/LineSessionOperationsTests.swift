import Engine
import Foundation
import Serving
import StrictJSON
import Testing

@Suite struct LineSessionOperationsTests {
    @Test func loadsListsAndUnloadsAdapters() throws {
        let desk = Desk()
        desk.receive(#"{"op":"load_adapter","id":5,"name":"tax","path":"adapters/tax"}"#)
        desk.receive(#"{"op":"load_adapter","name":"tax","path":"adapters/tax"}"#)
        desk.receive(#"{"op":"unload_adapter","id":"u","name":"law"}"#)
        desk.receive(#"{"op":"unload_adapter","name":"medicine"}"#)
        desk.receive(#"{"op":"list_adapters"}"#)
        desk.adapters.completeUnloads()
        #expect(
            desk.text == """
                {"id":5,"event":"adapter_loaded","name":"tax","hash":"hash-of-tax","peft_type":"LORA",\
                "warnings":["unknown setting"]}
                {"event":"adapter_loaded","name":"tax","hash":"hash-of-tax","peft_type":"LORA",\
                "warnings":["unknown setting"]}
                {"event":"adapters","adapters":[{"name":"tax","hash":"hash-of-tax","peft_type":"LORA",\
                "parameters":0,"bytes":0,"rank":null,"state":"attached","in_use":0,"requests":0,\
                "tokens":0,"warnings":["unknown setting"]}]}
                {"id":"u","event":"adapter_unloaded","name":"law"}
                {"event":"adapter_unloaded","name":"medicine"}

                """)
        #expect(desk.adapters.paths == ["adapters/tax", "adapters/tax"])
    }

    @Test func findsAnUnloadedNameGoneWithTheNextLine() throws {
        let desk = Desk()
        desk.receive(#"{"op":"unload_adapter","name":"law"}"#)
        #expect(
            try desk.failure(#"{"id":1,"prompt":"x","adapter":"law"}"#).code == "adapter_not_found")
    }

    @Test func mergesAndUnmerges() throws {
        let desk = Desk()
        desk.receive(#"{"op":"merge_adapter","id":1,"name":"law","weight":0.5}"#)
        desk.receive(#"{"op":"merge_adapter","name":"law"}"#)
        desk.receive(#"{"id":2,"prompt":"x","adapter":"law","stream":false}"#)
        desk.generator.finish(0, .length)
        desk.receive(#"{"op":"unmerge_adapter","name":"law"}"#)
        let events = try desk.events()
        #expect(events[0]["event"] == .string("adapter_merged"))
        #expect(events[0]["id"] == .integer(1))
        #expect(events[0]["weight"] == .number(0.5))
        #expect(events[1]["weight"] == .integer(1))
        #expect(
            events[2]["adapter"]?.arrayValue?[0].objectValue?["merged"] == .bool(true))
        #expect(events[3]["event"] == .string("adapter_unmerged"))
    }

    @Test func convertsTextAndTokens() throws {
        let desk = Desk()
        desk.receive(#"{"op":"tokenize","id":1,"text":"é"}"#)
        desk.receive(#"{"op":"detokenize","id":2,"tokens":[256,195,169]}"#)
        #expect(
            desk.text == """
                {"id":1,"event":"tokens","tokens":[256,195,169]}
                {"id":2,"event":"text","text":"é"}

                """)
    }

    /// The test's tokenizer marks where a stretch without special tokens begins.
    @Test func specialTokensAreReadAsTheRequestSays() throws {
        let desk = Desk()
        desk.receive(#"{"op":"tokenize","id":1,"text":"ab","special_tokens":"text"}"#)
        desk.receive(#"{"op":"tokenize","id":2,"text":"ab","special_tokens":"parse"}"#)
        #expect(
            desk.text == """
                {"id":1,"event":"tokens","tokens":[256,1097,98]}
                {"id":2,"event":"tokens","tokens":[256,97,98]}

                """)
        desk.receive(#"{"id":3,"prompt":"ab","special_tokens":"text"}"#)
        desk.receive(
            #"{"id":4,"messages":[{"role":"user","content":"ab"}],"special_tokens":"text"}"#)
        #expect(desk.generator.requests[0].tokens == [256, 1097, 98])
        let tokens = desk.generator.requests[1].tokens
        #expect(tokens.filter { $0 > 1000 } == [1097])
        #expect(tokens.first == 60)
    }

    @Test func tellsItsStatistics() throws {
        let desk = Desk()
        let event = try desk.events(after: #"{"op":"stats","id":1}"#)[0]
        #expect(event["event"] == .string("stats"))
        #expect(event["adapters"] == .integer(2))
        #expect(event["connections"] == .integer(1))
        #expect(event["requests"]?.objectValue?["running"] == .integer(0))
        #expect(event["requests"]?.objectValue?["cancelled"] == .integer(0))
        #expect(event["drafts"]?.objectValue?["tokens"] == .integer(0))
        #expect(event["drafts"]?.objectValue?["accepted"] == .integer(0))
        #expect(event["steps"]?.objectValue?["most_selections"] == .integer(0))
    }

    @Test func forgetsConnectionsThatAreOver() throws {
        let desk = Desk()
        do { _ = desk.service.makeSession(adapterPaths: .any) { _ in } }
        let event = try desk.events(after: #"{"op":"stats"}"#)[0]
        #expect(event["connections"] == .integer(1))
    }

    @Test func keepsAdapterPathsInsideTheirDirectory() throws {
        let files = FileManager.default
        let top = files.temporaryDirectory.appending(path: "graft-paths-\(UUID())")
        defer { try? files.removeItem(at: top) }
        let root = top.appending(path: "root"), inside = root.appending(path: "law")
        let outside = top.appending(path: "rooted")
        for directory in [inside, outside, root.appending(path: "mixed")] {
            try files.createDirectory(at: directory, withIntermediateDirectories: true)
        }
        try Data().write(to: outside.appending(path: "secret"))
        try files.createSymbolicLink(
            at: root.appending(path: "link"), withDestinationURL: outside)
        try files.createSymbolicLink(
            at: root.appending(path: "mixed/weights"),
            withDestinationURL: outside.appending(path: "secret"))
        try files.createSymbolicLink(at: root.appending(path: "alias"), withDestinationURL: inside)

        let desk = Desk(paths: .inside(root: root.path))
        func load(_ path: String) throws -> String {
            let line = JSONValue.object([
                "op": .string("load_adapter"), "name": .string("a"), "path": .string(path),
            ])
            let event = try desk.events(after: line.serialized())[0]
            return event["code"]?.stringValue ?? "loaded"
        }
        #expect(try load(inside.path) == "loaded")
        #expect(try load(root.path + "/alias") == "loaded")
        #expect(try load(root.path + "/law/../law") == "loaded")
        for path in [
            outside.path, root.path + "/../rooted", root.path + "/link", root.path + "/mixed",
            root.path + "/missing", "/etc/passwd", "", root.path + "\u{0}", "law",
        ] {
            #expect(try load(path) == "adapter_invalid", "\(path)")
        }
        #expect(desk.adapters.paths.count == 3)
    }

    @Test func loadsNothingForClientsThatMayNot() throws {
        let desk = Desk(paths: .none)
        let failure = try desk.failure(#"{"op":"load_adapter","name":"a","path":"/x"}"#)
        #expect(failure.code == "adapter_invalid")
        #expect(failure.field == "path")
    }
}
