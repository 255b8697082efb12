import Dispatch
import Engine
import Foundation
import Serving
import StrictJSON
import Synchronization
import Testing

/// A request between its line and its last event, above all while its adapters are read.
@Suite struct RequestLifecycleTests {
    private func nothingIsLeft(of desk: Desk) -> Bool {
        desk.generator.inFlightCount == 0
            && desk.adapters.leases.allSatisfy { $0.releaseCount == 1 }
    }

    @Test func countsRequestsThatWaitForAdapters() throws {
        let tokenizer = ByteTokenizer()
        let desk = Desk(tokenizer: tokenizer)
        desk.adapters.hold()
        desk.generator.limit(to: 2)
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"}"#)
        desk.receive(#"{"id":2,"prompt":"x","adapter":"law"}"#)
        #expect(desk.adapters.heldCount == 2)
        #expect(try desk.failure(#"{"id":3,"prompt":"x","adapter":"law"}"#).code == "overloaded")
        #expect(desk.adapters.heldCount == 2)
        #expect(tokenizer.encodeCount == 0)
        desk.adapters.letGo()
        desk.generator.finish(0, .length)
        #expect(try desk.events(after: #"{"id":3,"prompt":"x"}"#).map { $0["event"] } == ["done"])
        desk.generator.finish(1, .length)
        desk.generator.finish(2, .length)
        #expect(nothingIsLeft(of: desk))
    }

    /// Places and turns are shared evenly among clients, so the generator has to know them apart.
    @Test func tellsTheGeneratorWhoseARequestIs() throws {
        let desk = Desk()
        let other = desk.service.makeSession(rights: .owner) { _ in }
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        other.receive(.line(Array(#"{"id":1,"prompt":"x"}"#.utf8)))
        desk.receive(#"{"id":2,"prompt":"x"}"#)
        let clients = desk.generator.requests.map(\.client)
        try #require(clients.count == 3)
        #expect(clients[0] == clients[2])
        #expect(clients[0] != clients[1])
    }

    @Test func countsTimesFromAcceptance() throws {
        let desk = Desk()
        desk.adapters.hold()
        let before = ContinuousClock.now
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"}"#)
        let after = ContinuousClock.now
        desk.adapters.letGo()
        #expect((before...after).contains(desk.generator.tickets[0].accepted))
    }

    @Test func timesOutWhileItsAdaptersAreRead() async throws {
        let desk = Desk()
        desk.adapters.hold()
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law","timeout_ms":20}"#)
        let event = try #require(try await desk.events(count: 1).first)
        #expect(event["finish_reason"] == "timeout")
        #expect(event["tokens"] == .array([]))
        #expect((event["timings"]?.objectValue?["queue_ms"]?.doubleValue ?? 0) >= 20)
        desk.adapters.letGo()
        #expect(desk.generator.requests.isEmpty)
        #expect(nothingIsLeft(of: desk))
        let requests = try desk.events(after: #"{"op":"stats"}"#)[0]["requests"]?.objectValue
        #expect(requests?["timeout"] == 1)
    }

    @Test func cancelsWhileItsAdaptersAreRead() throws {
        let desk = Desk()
        desk.adapters.hold()
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"}"#)
        let events = try desk.events(after: #"{"op":"cancel","id":1}"#)
        #expect(events.map { $0["finish_reason"] } == ["cancelled"])
        #expect(try desk.failure(#"{"op":"cancel","id":1}"#).code == "bad_request")
        desk.adapters.letGo()
        #expect(try desk.events().isEmpty)
        #expect(desk.generator.requests.isEmpty)
        #expect(nothingIsLeft(of: desk))
    }

    /// What comes late of the first must not be taken for the second's.
    @Test func tellsARequestFromOneThatHadItsID() throws {
        let desk = Desk()
        desk.adapters.hold()
        desk.receive(#"{"id":1,"prompt":"old","adapter":"law"}"#)
        desk.receive(#"{"op":"cancel","id":1}"#)
        desk.receive(#"{"id":1,"prompt":"new","adapter":"law"}"#)
        _ = try desk.events()
        desk.adapters.letGo()
        #expect(
            desk.generator.requests.map(\.tokens) == [[256] + Array("new".utf8).map(Int32.init)])
        desk.receive(#"{"op":"cancel","id":1}"#)
        #expect(desk.generator.cancelledPlaces == [0])
        desk.generator.finish(0, .cancelled)
        #expect(try desk.events().count == 1)
        #expect(nothingIsLeft(of: desk))
    }

    @Test func refusesTheSameIDWhileAdaptersAreRead() throws {
        let desk = Desk()
        desk.adapters.hold()
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"}"#)
        #expect(try desk.failure(#"{"id":1,"prompt":"y"}"#).code == "duplicate_id")
        desk.adapters.letGo()
        #expect(desk.generator.requests.count == 1)
    }

    @Test func forgetsClientsThatLeaveWhileAdaptersAreRead() throws {
        let desk = Desk()
        let ends = Ends()
        desk.adapters.hold()
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"}"#)
        desk.session.endInput { ends.add() }
        desk.session.close()
        #expect(ends.count == 1)
        #expect(desk.session.isIdle)
        desk.adapters.letGo()
        #expect(desk.generator.requests.isEmpty)
        #expect(nothingIsLeft(of: desk))
        #expect(try desk.events().isEmpty)
    }

    @Test func drainsAfterAdaptersWereRead() async throws {
        let desk = Desk()
        let ends = Ends()
        desk.adapters.hold()
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"}"#)
        let drain = Task {
            await desk.service.drain()
            ends.add()
        }
        try await Task.sleep(for: .milliseconds(30))
        #expect(ends.count == 0)
        desk.adapters.letGo()
        await drain.value
        desk.generator.answer(0, "a")
        #expect(try desk.events().last?["finish_reason"] == "length")
    }

    @Test func givesUpWhatWaitsForAdaptersWhenAborted() async throws {
        let desk = Desk()
        desk.adapters.hold()
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"}"#)
        desk.service.abort()
        #expect(try desk.events().map { $0["code"] } == ["shutting_down"])
        await desk.service.drain()
        desk.adapters.letGo()
        #expect(desk.generator.requests.isEmpty)
        #expect(nothingIsLeft(of: desk))
    }

    /// Adapters that are awaited, and a place in the queue, are for those who still want them.
    @Test(arguments: ["cancel", "timeout", "close", "abort"])
    func awaitsNoAdaptersForARequestThatHasEnded(ending: String) async throws {
        let desk = Desk()
        desk.adapters.hold()
        let timeout = ending == "timeout" ? #","timeout_ms":20"# : ""
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"\#(timeout)}"#)
        desk.receive(#"{"id":2,"prompt":"x","adapter":"law"}"#)
        #expect(desk.adapters.heldCount == 2)
        switch ending {
        case "cancel": desk.receive(#"{"op":"cancel","id":1}"#)
        case "timeout": _ = try await desk.events(count: 1)
        case "close": desk.session.close()
        default: desk.service.abort()
        }
        let endsAll = ["close", "abort"].contains(ending)
        #expect(await eventually { desk.generator.inFlightCount == (endsAll ? 0 : 1) })
        #expect(desk.adapters.heldCount == (endsAll ? 0 : 1))
        desk.adapters.letGo()
        #expect(desk.generator.requests.count == (endsAll ? 0 : 1))
        await desk.service.drain()
    }

    @Test func givesEverythingBackHoweverARequestEnds() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x","adapter":"law"}"#)
        desk.generator.answer(0, "a", .stop)
        desk.receive(#"{"id":2,"prompt":"x","adapter":{"law":1,"cooking":1}}"#)
        desk.receive(#"{"id":3,"messages":[{"role":"pirate","content":"x"}],"adapter":"law"}"#)
        desk.receive(#"{"id":4,"tokens":[],"adapter":"law"}"#)
        desk.generator.refuse(.overloaded(requestLimit: 3))
        desk.receive(#"{"id":5,"prompt":"x","adapter":"law"}"#)
        let ends = try desk.events().filter { $0["event"] != "token" }
        #expect(ends.map { $0["id"] } == [1, 2, 3, 4, 5])
        #expect(nothingIsLeft(of: desk))
        #expect(desk.session.isIdle)
    }

    @Test func boundsTheMemoryOfWaitingRequests() throws {
        let desk = Desk(
            configuration: ServingConfiguration(sharedByteCount: 3000, preparationLaneCount: 0))
        desk.adapters.hold()
        let prompt = String(repeating: "x", count: 1000)
        desk.receive(#"{"id":1,"prompt":"\#(prompt)","adapter":"law"}"#)
        let failure = try desk.failure(#"{"id":2,"prompt":"\#(prompt)","adapter":"law"}"#)
        #expect(failure.code == "overloaded")
        #expect(failure.id == 2)
        desk.adapters.letGo()
        #expect(try desk.events(after: #"{"id":2,"prompt":"\#(prompt)"}"#).isEmpty)
        #expect(desk.generator.requests.count == 2)
    }

    /// Ten tokens of at most one byte, and four times as much is let pass.
    @Test(arguments: [(39, true), (40, true), (41, false), (100_000, false)])
    func refusesWhatCanNotFitBeforeItCosts(byteCount: Int, passes: Bool) throws {
        let tokenizer = ByteTokenizer()
        let desk = Desk(tokenizer: tokenizer, contextTokenCount: 10)
        let text = String(repeating: "x", count: byteCount)
        for line in [
            #"{"id":1,"prompt":"\#(text)"}"#,
            #"{"id":2,"messages":[{"role":"user","content":"\#(text)"}]}"#,
        ] {
            let events = try desk.events(after: line)
            #expect(events.isEmpty == passes)
            #expect(passes || events[0]["code"] == "context_too_long")
        }
        #expect((tokenizer.encodeCount > 0) == passes)
        // White space may vanish, so it doesn't count.
        let blank = String(repeating: " ", count: byteCount)
        #expect(try desk.events(after: #"{"id":3,"prompt":"\#(blank)"}"#).isEmpty)
        // An adapter's own tokenizer may have longer tokens: it is looked at first.
        let events = try desk.events(after: #"{"id":4,"prompt":"\#(text)","adapter":"law"}"#)
        #expect(events.isEmpty == passes)
        if !passes {
            #expect(
                events[0]["message"]?.stringValue
                    == "the prompt has \(byteCount) bytes beside white space, and the context has room "
                    + "for 10 tokens of at most 1 bytes: shorten it")
        }
    }

    @Test(arguments: [(9, 1, true), (10, 1, false), (10, 0, true), (11, 0, false)])
    func refusesTooManyTokensAtOnce(count: Int, newCount: Int, passes: Bool) throws {
        let desk = Desk(contextTokenCount: 10)
        desk.adapters.hold()
        let tokens = Array(repeating: "1", count: count).joined(separator: ",")
        let events = try desk.events(
            after: #"{"id":1,"tokens":[\#(tokens)],"adapter":"law","max_tokens":\#(newCount)}"#)
        #expect(events.isEmpty == passes)
        #expect(passes || events[0]["code"] == "context_too_long")
        #expect(desk.adapters.heldCount == (passes ? 1 : 0))
    }

    @Test func logsWhatTheServerIsToBlameFor() throws {
        let log = CollectedLog()
        let desk = Desk(log: log)
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        _ = desk.generator.requests[0].sink.receive(.failed(.nonFiniteLogits(position: 7)))
        desk.receive(#"{"id":1,"prompt":7}"#)
        #expect(log.lines.count == 1)
        #expect(log.lines[0].hasPrefix("error: a request failed reason=the model gave a logit"))
    }
}

/// The same with threads of its own for texts and events.
@Suite struct PreparationTests {
    private let threaded = ServingConfiguration(preparationLaneCount: 2)

    @Test func linesGoOnWhileATextBecomesTokens() async throws {
        let gate = DispatchSemaphore(value: 0)
        let desk = Desk(tokenizer: ByteTokenizer(gate: gate), configuration: threaded)
        desk.receive(#"{"id":1,"prompt":"long"}"#)
        desk.receive(#"{"op":"list_adapters","id":2}"#)
        #expect(try await desk.events(count: 1).map { $0["id"] } == [2])
        desk.receive(#"{"op":"cancel","id":1}"#)
        #expect(try await desk.events(count: 1).map { $0["finish_reason"] } == ["cancelled"])
        gate.signal()
        #expect(await eventually { desk.generator.inFlightCount == 0 })
        #expect(desk.generator.requests.isEmpty)
        #expect(desk.adapters.leases.map(\.releaseCount) == [1])
    }

    @Test func requestsOfAConnectionStartInTheirOrder() async {
        let desk = Desk(configuration: threaded)
        for number in 0..<100 { desk.receive(#"{"id":\#(number),"prompt":"\#(number)"}"#) }
        #expect(await eventually { desk.generator.requests.count == 100 })
        #expect(
            desk.generator.requests.map { $0.tokens.dropFirst().map(UInt8.init) }
                == (0..<100).map { Array("\($0)".utf8) })
    }

    @Test func eventsKeepTheirOrderAndAreWrittenElsewhere() async throws {
        let desk = Desk(configuration: threaded)
        let ends = Ends()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        #expect(await eventually { desk.generator.requests.count == 1 })
        let text = String((0..<500).map { _ in "abcdefgh".randomElement() ?? "a" })
        desk.session.endInput { ends.add() }
        desk.generator.answer(0, text)
        let events = try await desk.events(count: 501)
        #expect(events.dropLast().map { $0["text"]?.stringValue ?? "" }.joined() == text)
        #expect(events.last?["text"]?.stringValue == text)
        #expect(await eventually { ends.count == 1 })
    }

    @Test func theThreadThatHasAnEventDoesNotWriteIt() async {
        let writers = Mutex<Set<UInt>>([])
        let desk = Desk(configuration: threaded)
        let session = desk.service.makeSession(rights: .owner) { _ in
            _ = writers.withLock { $0.insert(UInt(pthread_self())) }
        }
        session.receive(.line(Array(#"{"id":1,"prompt":"x"}"#.utf8)))
        #expect(await eventually { desk.generator.requests.count == 1 })
        let own = await withCheckedContinuation { continuation in
            let thread = Thread {
                desk.generator.answer(0, "abc")
                while writers.withLock({ $0.isEmpty }) { usleep(1000) }
                continuation.resume(returning: UInt(pthread_self()))
            }
            thread.start()
        }
        #expect(!writers.withLock { $0.contains(own) })
    }
}
