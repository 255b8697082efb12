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

    /// One of the stand-ins has 300 rows, 42 more than the tokenizer's tokens.
    @Test func textAndTokensAreThoseOfTheAdapterThatIsNamed() throws {
        let desk = Desk(adapters: ListedAdapters(["grown", "law"], rowCounts: ["grown": 300]))
        let line = #"{"op":"detokenize","id":1,"tokens":[97,299]"#
        let message = "The token id 299 is not in the vocabulary, whose ids are 0 to 257."
        #expect(try desk.failure(line + "}").message == message)
        #expect(try desk.failure(line + #","adapter":"law"}"#).message == message)
        #expect(try desk.events(after: line + #","adapter":"grown"}"#)[0]["text"] == "a")
        #expect(try desk.events(after: line + #","adapter":{"grown":0.5}}"#)[0]["text"] == "a")
        let tokens = try desk.events(after: #"{"op":"tokenize","text":"é","adapter":"law"}"#)
        #expect(tokens.map { $0["tokens"] } == [.array([256, 195, 169])])
        for operation in [#""op":"tokenize","text":"x""#, #""op":"detokenize","tokens":[1]"#] {
            let unknown = try desk.failure("{\(operation),\"adapter\":\"tax\"}")
            #expect(unknown.code == "adapter_not_found")
            #expect(unknown.field == "adapter")
            let wrong = try desk.failure("{\(operation),\"adapter\":7}")
            #expect(wrong.code == "bad_request")
        }
        #expect(desk.adapters.leases.allSatisfy { $0.releaseCount == 1 })
        #expect(desk.session.isIdle)
    }

    @Test func conversionsWaitForAdaptersAndAreGivenUpWithTheConnection() throws {
        let desk = Desk(
            configuration: ServingConfiguration(sharedByteCount: 8, preparationLaneCount: 0))
        desk.adapters.hold()
        desk.receive(#"{"op":"detokenize","id":1,"tokens":[97,98],"adapter":"law"}"#)
        let line = #"{"op":"tokenize","id":2,"text":"x","adapter":"law"}"#
        #expect(try desk.failure(line).code == "overloaded")
        #expect(!desk.session.isIdle)
        desk.adapters.letGo()
        #expect(try desk.events().map { $0["text"] } == ["ab"])
        desk.adapters.hold()
        desk.receive(line)
        #expect(desk.adapters.heldCount == 1)
        desk.session.close()
        #expect(desk.adapters.heldCount == 0)
        #expect(desk.session.isIdle)
        #expect(desk.adapters.leases.allSatisfy { $0.releaseCount == 1 })
    }

    @Test func tellsItsStatistics() throws {
        let desk = Desk()
        let event = try desk.events(after: #"{"op":"stats","id":1}"#)[0]
        #expect(event["event"] == .string("stats"))
        #expect(event["adapters"] == .integer(2))
        #expect(event["connections"] == .integer(1))
        #expect(event["requests"]?.objectValue?["running"] == .integer(0))
        #expect(event["requests"]?.objectValue?["cancelled"] == .integer(0))
        #expect(event["adapter_memory"]?.objectValue?["tokenizers"] == .integer(0))
        #expect(event["adapter_memory"]?.objectValue?["tokenizer_bytes"] == .integer(0))
        #expect(event["drafts"]?.objectValue?["tokens"] == .integer(0))
        #expect(event["drafts"]?.objectValue?["accepted"] == .integer(0))
        #expect(event["steps"]?.objectValue?["most_selections"] == .integer(0))
    }

    @Test func forgetsConnectionsThatAreOver() throws {
        let desk = Desk()
        do { _ = desk.otherSession() }
        let event = try desk.events(after: #"{"op":"stats"}"#)[0]
        #expect(event["connections"] == .integer(1))
    }

    @Test func everyLoadOfAClientIsInsideItsDirectory() throws {
        for (rule, root) in [
            (AdapterPathRule.inside(root: "/srv/adapters"), "/srv/adapters"), (.any, nil),
        ] {
            let desk = Desk(rights: ClientRights(administers: true, adapterPaths: rule))
            _ = try desk.events(after: #"{"op":"load_adapter","name":"a","path":"/elsewhere/law"}"#)
            #expect(desk.adapters.paths == ["/elsewhere/law"])
            #expect(desk.adapters.roots == [root])
        }
    }

    @Test func loadsNothingForClientsThatMayNot() throws {
        let desk = Desk(rights: ClientRights(administers: true, adapterPaths: .none))
        let failure = try desk.failure(#"{"op":"load_adapter","name":"a","path":"/x"}"#)
        #expect(failure.code == "adapter_invalid")
        #expect(failure.field == "path")
    }
}
