import Engine
import Serving
import StrictJSON
import Testing

/// What clients without rights are told.
@Suite struct ClientRightsTests {
    @Test(arguments: [
        #"{"op":"load_adapter","id":1,"name":"x","path":"/x"}"#,
        #"{"op":"unload_adapter","id":1,"name":"law"}"#,
        #"{"op":"merge_adapter","id":1,"name":"law"}"#,
        #"{"op":"unmerge_adapter","id":1,"name":"law"}"#,
        #"{"op":"shutdown","id":1}"#,
    ])
    func usersAdministerNothing(line: String) throws {
        let desk = Desk(rights: .user)
        let failure = try desk.failure(line)
        #expect(failure.code == "not_permitted")
        #expect(failure.field == "op")
        #expect(failure.id == 1)
        #expect(failure.message.contains("--tcp-admin"))
        #expect(!desk.service.isShuttingDown)
        #expect(desk.adapters.paths.isEmpty)
        #expect(desk.adapters.descriptions().map(\.name) == ["law", "medicine"])
    }

    @Test func usersUseWhatIsThere() throws {
        let desk = Desk(rights: .user)
        for line in [
            #"{"op":"list_adapters"}"#, #"{"op":"stats"}"#, #"{"op":"tokenize","text":"a"}"#,
            #"{"op":"detokenize","tokens":[97]}"#,
        ] {
            #expect(try desk.events(after: line).map { $0["event"] != "error" } == [true])
        }
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"}"#)
        desk.receive(#"{"op":"cancel","id":1}"#)
        #expect(desk.generator.cancelledPlaces == [0])
    }

    @Test(arguments: [(-100, true), (0, true), (1, false), (100, false)])
    func usersComeBeforeNobody(priority: Int, passes: Bool) throws {
        let desk = Desk(rights: .user)
        let events = try desk.events(after: #"{"id":1,"prompt":"x","priority":\#(priority)}"#)
        #expect(events.map { $0["field"] } == (passes ? [] : ["priority"]))
        #expect(desk.generator.requests.map(\.priority) == (passes ? [priority] : []))
    }
}
