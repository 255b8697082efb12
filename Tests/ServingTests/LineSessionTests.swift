import Engine
import Serving
import StrictJSON
import Testing
import Transformer

@Suite struct LineSessionTests {
    @Test func streamsTokensAndThenTheWholeAnswer() throws {
        let desk = Desk()
        desk.receive(#"{"id":"a","prompt":"Hi","adapter":"law","max_tokens":2}"#)
        #expect(desk.generator.requests[0].tokens == [256, 72, 105])
        #expect(desk.generator.requests[0].maximumNewTokenCount == 2)
        desk.generator.answer(0, "ok")
        #expect(
            desk.text == """
                {"id":"a","event":"token","token":111,"text":"o"}
                {"id":"a","event":"token","token":107,"text":"k"}
                {"id":"a","event":"done","finish_reason":"length","text":"ok","tokens":[111,107],\
                "adapter":[{"name":"law","weight":1,"hash":"hash-of-law"}],\
                "usage":{"prompt_tokens":3,"cached_tokens":0,"completion_tokens":2},\
                "timings":{"queue_ms":1.5,"prefill_ms":0.0,"decode_ms":2.0}}

                """)
    }

    @Test func sendsOnlyTheAnswerWithoutStreaming() throws {
        let desk = Desk()
        desk.receive(#"{"id":7,"prompt":"Hi","stream":false}"#)
        desk.generator.answer(0, "yes")
        let events = try desk.events()
        #expect(events.map { $0["event"] } == [.string("done")])
        #expect(events[0]["text"] == .string("yes"))
        #expect(events[0]["adapter"] == .array([]))
    }

    @Test func passesAMixOn() throws {
        let desk = Desk()
        desk.receive(
            #"{"id":1,"prompt":"x","adapter":{"law":0.7,"medicine":-0.3},"stream":false}"#)
        desk.generator.answer(0, "")
        let adapters = try desk.events()[0]["adapter"]?.arrayValue ?? []
        #expect(adapters.count == 2)
        #expect(adapters[0].objectValue?["weight"] == .number(0.7))
        #expect(adapters[1].objectValue?["weight"] == .number(-0.3))
    }

    @Test(arguments: [
        ("", 0), (#","priority":null"#, 0), (#","priority":-100"#, -100),
        (#","priority":7"#, 7), (#","priority":100"#, 100),
    ])
    func passesThePriorityOn(field: String, priority: Int) {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x"\#(field)}"#)
        #expect(desk.generator.requests.map(\.priority) == [priority])
    }

    @Test func neverSendsHalfACharacter() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        desk.generator.answer(0, "é!")
        let texts = try desk.events().map { $0["text"]?.stringValue }
        #expect(texts == ["", "é", "!", "é!"])
    }

    @Test func givesTheRestOfAnUnfinishedCharacterWithTheLastToken() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        desk.generator.send(97, to: 0)
        desk.generator.send(0xC3, to: 0)
        desk.generator.finish(0, .length)
        let texts = try desk.events().map { $0["text"]?.stringValue }
        #expect(texts == ["a", "\u{FFFD}", "a\u{FFFD}"])
    }

    @Test func stopsAcrossTokensAndCharacters() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x","stop":["é!","zz"]}"#)
        let decisions = "aé!".utf8.map { desk.generator.send(Int32($0), to: 0) }
        #expect(decisions == [.proceed, .proceed, .proceed, .stop])
        desk.generator.finish(0, .stop)
        let events = try desk.events()
        #expect(events.map { $0["text"]?.stringValue } == ["a", "", "", "", "a"])
        #expect(events.last?["tokens"]?.arrayValue?.count == 4)
        #expect(events.last?["finish_reason"] == .string("stop"))
    }

    @Test func flushesHeldTextWhenNoStopComes() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x","stop":"END"}"#)
        desk.generator.answer(0, "aEN")
        let events = try desk.events()
        #expect(events.map { $0["text"]?.stringValue } == ["a", "", "EN", "aEN"])
        #expect(events.count == 4)
    }

    @Test func leavesTheEndTokenOut() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        #expect(desk.generator.requests[0].endTokens == [ByteTokenizer.endToken])
        desk.generator.send(97, to: 0)
        desk.generator.send(ByteTokenizer.endToken, to: 0, isEndToken: true)
        desk.generator.finish(0, .stop)
        let events = try desk.events()
        #expect(events.count == 2)
        #expect(events[1]["tokens"] == .array([.integer(97)]))
        #expect(
            events[1]["usage"]?.objectValue?["completion_tokens"] == .integer(1))
    }

    @Test func goesOnPastTheEndTokenWhereAsked() {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x","ignore_eos":true}"#)
        #expect(desk.generator.requests[0].endTokens.isEmpty)
    }

    @Test func reportsLogprobsWhereAsked() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x","logprobs":1,"prompt_logprobs":1}"#)
        #expect(desk.generator.requests[0].logprobCount == 1)
        let own = TokenLogprob(token: 97, logprob: -0.1)
        let logprobs = TokenLogprobs(own: own, top: [TokenLogprob(token: 98, logprob: 0)])
        _ = desk.generator.requests[0].sink.receive(.promptLogprobs([nil, logprobs]))
        desk.generator.send(97, to: 0, logprobs: logprobs)
        #expect(
            desk.text == """
                {"id":1,"event":"prompt","prompt_logprobs":[null,[{"token":97,"logprob":-0.1},\
                {"token":98,"logprob":0}]]}
                {"id":1,"event":"token","token":97,"text":"a","logprob":-0.1,\
                "top_logprobs":[{"token":98,"logprob":0}]}

                """)
    }

    @Test func takesTokensAsTheyAreAndWithoutATokenizer() throws {
        let desk = Desk(tokenizer: nil)
        desk.receive(#"{"id":1,"tokens":[5,6],"max_tokens":1}"#)
        #expect(desk.generator.requests[0].tokens == [5, 6])
        desk.generator.answer(0, "a")
        let events = try desk.events()
        #expect(events.map { $0["text"] } == [.string(""), .string("")])
        #expect(events[1]["tokens"] == .array([.integer(97)]))
    }

    @Test func writesAConversationWithItsTemplate() {
        let desk = Desk()
        desk.receive(#"{"id":1,"messages":[{"role":"user","content":"hi"}]}"#)
        let tokens = desk.generator.requests[0].tokens.map { UInt8(truncatingIfNeeded: $0) }
        #expect(
            String(decoding: tokens, as: UTF8.self)
                == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
    }

    @Test func readsEveryParameter() throws {
        let desk = Desk()
        desk.receive(
            #"{"op":"generate","id":1,"prompt":"x","adapter":null,"max_tokens":0,"temperature":0.5,"#
                + #""top_k":40,"top_p":0.9,"min_p":0.05,"seed":18446744073709551615,"#
                + #""repetition_penalty":1.1,"presence_penalty":0.2,"frequency_penalty":0.3,"#
                + #""logit_bias":{"5":-100},"stop":["a"],"timeout_ms":1500,"logprobs":null}"#)
        let request = desk.generator.requests[0]
        #expect(
            try request.sampling
                == SamplingParameters(
                    temperature: 0.5, topK: 40, topP: 0.9, minP: 0.05, seed: UInt64.max,
                    repetitionPenalty: 1.1, presencePenalty: 0.2, frequencyPenalty: 0.3,
                    logitBias: [5: -100]))
        #expect(request.maximumNewTokenCount == 0)
        #expect(request.timeout == .milliseconds(1500))
        #expect(request.logprobCount == nil)
    }

    @Test func samplesAtTemperatureOneByDefault() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        #expect(desk.generator.requests[0].sampling == (try SamplingParameters(temperature: 1)))
        #expect(desk.generator.requests[0].maximumNewTokenCount == 256)
    }

    @Test func cancelsByIDAndAnswersWithTheRequestsOwnEnd() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        desk.receive(#"{"id":"1","prompt":"x"}"#)
        #expect(try desk.events(after: #"{"op":"cancel","id":"1"}"#).isEmpty)
        #expect(desk.generator.cancelledPlaces == [1])
        desk.generator.finish(1, .cancelled)
        let events = try desk.events()
        #expect(events.map { $0["finish_reason"] } == [.string("cancelled")])
        #expect(try desk.failure(#"{"op":"cancel","id":"1"}"#).code == "bad_request")
    }

    @Test func reportsAFailureAsTheLastEvent() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        _ = desk.generator.requests[0].sink.receive(.failed(.nonFiniteLogits(position: 1)))
        #expect(try desk.events()[0]["code"] == .string("internal"))
        #expect(try desk.events(after: #"{"id":1,"prompt":"x"}"#).isEmpty)
    }

    @Test func cancelsEverythingWhenTheClientIsGone() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        desk.receive(#"{"id":2,"prompt":"x"}"#)
        desk.session.close()
        #expect(desk.generator.cancelledPlaces.sorted() == [0, 1])
        desk.generator.answer(0, "a", .cancelled)
        #expect(try desk.events().isEmpty)
        desk.receive(#"{"id":3,"prompt":"x"}"#)
        #expect(desk.generator.requests.count == 2)
    }

    @Test func endsWhenEverythingAcceptedIsAnswered() throws {
        let desk = Desk()
        let ends = Ends()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        desk.receive(#"{"op":"unload_adapter","name":"law"}"#)
        desk.session.endInput { ends.add() }
        #expect(ends.count == 0)
        desk.generator.finish(0, .length)
        #expect(ends.count == 0)
        desk.adapters.completeUnloads()
        #expect(ends.count == 1)
        desk.session.endInput { ends.add() }
        #expect(ends.count == 2)
    }

    @Test func takesNoNewWorkWhileShuttingDown() throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x"}"#)
        #expect(try desk.events(after: #"{"op":"shutdown","id":2}"#).isEmpty)
        #expect(desk.service.isShuttingDown)
        #expect(try desk.failure(#"{"id":3,"prompt":"x"}"#).code == "shutting_down")
        #expect(
            try desk.failure(#"{"op":"load_adapter","name":"n","path":"/p"}"#).code
                == "shutting_down")
        #expect(try desk.events(after: #"{"op":"list_adapters"}"#).count == 1)
        desk.generator.finish(0, .length)
        #expect(try desk.events().count == 1)
    }
}
