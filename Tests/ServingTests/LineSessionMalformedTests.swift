import Engine
import Serving
import StrictJSON
import Testing

/// Lines that must be refused, each with its code and the field to blame; the next line works.
@Suite struct LineSessionMalformedTests {
    static let lines: [(line: String, code: String, field: String?)] = [
        ("{", "bad_json", nil),
        ("[]", "bad_request", nil),
        ("\"x\"", "bad_request", nil),
        ("1", "bad_request", nil),
        ("null", "bad_request", nil),
        ("{}", "bad_request", "prompt"),
        ("{} {}", "bad_json", nil),
        ("\u{FEFF}{\"id\":1}", "bad_json", nil),
        (#"{"id":1,"prompt":"\ud800"}"#, "bad_json", nil),
        ("{\"id\":1,\"prompt\":\"a\u{0}\"}", "bad_json", nil),
        (#"{"id":1,"id":2,"prompt":"x"}"#, "bad_json", nil),
        (#"{"id":1,"prompt":"x","max_tokens":1e309}"#, "bad_json", nil),
        (#"{"prompt":"x"}"#, "bad_request", "id"),
        (#"{"id":{},"prompt":"x"}"#, "bad_request", "id"),
        (#"{"id":1.5,"prompt":"x"}"#, "bad_request", "id"),
        (#"{"id":1,"op":"dance"}"#, "unknown_op", "op"),
        (#"{"id":1,"op":7}"#, "bad_request", "op"),
        (#"{"id":1,"prompt":"x","n":1000000}"#, "bad_request", "n"),
        (#"{"id":1,"op":"stats","name":"x"}"#, "bad_request", "name"),
        (#"{"id":1,"prompt":"x","tokens":[1]}"#, "bad_request", "tokens"),
        (#"{"id":1,"prompt":7}"#, "bad_request", "prompt"),
        (#"{"id":1,"messages":[]}"#, "bad_request", "messages"),
        (#"{"id":1,"messages":["hi"]}"#, "bad_request", "messages"),
        (#"{"id":1,"messages":[{"role":"user"}]}"#, "bad_request", "messages"),
        (#"{"id":1,"messages":[{"role":"user","content":"x","y":1}]}"#, "bad_request", "messages"),
        (#"{"id":1,"messages":[{"role":"pirate","content":"x"}]}"#, "bad_request", "messages"),
        (#"{"id":1,"tokens":[-1]}"#, "bad_request", "tokens"),
        (#"{"id":1,"tokens":[1.5]}"#, "bad_request", "tokens"),
        (#"{"id":1,"tokens":[2147483648]}"#, "bad_request", "tokens"),
        (#"{"id":1,"tokens":[]}"#, "bad_request", "tokens"),
        (#"{"id":1,"prompt":"x","max_tokens":-1}"#, "bad_request", "max_tokens"),
        (#"{"id":1,"prompt":"x","max_tokens":1.5}"#, "bad_request", "max_tokens"),
        (#"{"id":1,"prompt":"x","max_tokens":"5"}"#, "bad_request", "max_tokens"),
        (#"{"id":1,"prompt":"x","max_tokens":true}"#, "bad_request", "max_tokens"),
        (#"{"id":1,"prompt":"x","temperature":-1}"#, "bad_request", "temperature"),
        (#"{"id":1,"prompt":"x","temperature":1e38}"#, "bad_request", "temperature"),
        (#"{"id":1,"prompt":"x","temperature":1e300}"#, "bad_request", "temperature"),
        (#"{"id":1,"prompt":"x","temperature":"hot"}"#, "bad_request", "temperature"),
        (#"{"id":1,"prompt":"x","top_p":-0.1}"#, "bad_request", "top_p"),
        (#"{"id":1,"prompt":"x","top_p":1.1}"#, "bad_request", "top_p"),
        (#"{"id":1,"prompt":"x","top_k":-2}"#, "bad_request", "top_k"),
        (#"{"id":1,"prompt":"x","min_p":2}"#, "bad_request", "min_p"),
        (#"{"id":1,"prompt":"x","seed":18446744073709551616}"#, "bad_request", "seed"),
        (#"{"id":1,"prompt":"x","seed":-1}"#, "bad_request", "seed"),
        (#"{"id":1,"prompt":"x","repetition_penalty":0}"#, "bad_request", "repetition_penalty"),
        (#"{"id":1,"prompt":"x","presence_penalty":101}"#, "bad_request", "presence_penalty"),
        (#"{"id":1,"prompt":"x","frequency_penalty":[]}"#, "bad_request", "frequency_penalty"),
        (#"{"id":1,"prompt":"x","logit_bias":[]}"#, "bad_request", "logit_bias"),
        (#"{"id":1,"prompt":"x","logit_bias":{"a":1}}"#, "bad_request", "logit_bias"),
        (#"{"id":1,"prompt":"x","logit_bias":{"01":1}}"#, "bad_request", "logit_bias"),
        (#"{"id":1,"prompt":"x","logit_bias":{"1":"a"}}"#, "bad_request", "logit_bias"),
        (#"{"id":1,"prompt":"x","stop":""}"#, "bad_request", "stop"),
        (#"{"id":1,"prompt":"x","stop":["a",""]}"#, "bad_request", "stop"),
        (#"{"id":1,"prompt":"x","stop":null,"logit_bias":{"5":101}}"#, "bad_request", "logit_bias"),
        (#"{"id":1,"prompt":"x","max_tokens":-1.0}"#, "bad_request", "max_tokens"),
        (#"{"id":1,"prompt":"x","top_k":6000.5}"#, "bad_request", "top_k"),
        (#"{"id":1e17,"prompt":"x"}"#, "bad_request", "id"),
        (#"{"id":1,"prompt":"x","seed":1e17}"#, "bad_request", "seed"),
        (#"{"id":1,"prompt":"x","stop":[1]}"#, "bad_request", "stop"),
        (#"{"id":1,"prompt":"x","logprobs":101}"#, "bad_request", "logprobs"),
        (#"{"id":1,"prompt":"x","prompt_logprobs":-1}"#, "bad_request", "prompt_logprobs"),
        (#"{"id":1,"prompt":"x","stream":1}"#, "bad_request", "stream"),
        (#"{"id":1,"prompt":"x","ignore_eos":"no"}"#, "bad_request", "ignore_eos"),
        (#"{"id":1,"prompt":"x","timeout_ms":0}"#, "bad_request", "timeout_ms"),
        (#"{"id":1,"prompt":"x","priority":101}"#, "bad_request", "priority"),
        (#"{"id":1,"prompt":"x","priority":-101}"#, "bad_request", "priority"),
        (#"{"id":1,"prompt":"x","priority":0.5}"#, "bad_request", "priority"),
        (#"{"id":1,"prompt":"x","priority":"high"}"#, "bad_request", "priority"),
        (#"{"id":1,"prompt":"x","adapter":7}"#, "bad_request", "adapter"),
        (#"{"id":1,"prompt":"x","adapter":{}}"#, "bad_request", "adapter"),
        (#"{"id":1,"prompt":"x","adapter":{"law":"much"}}"#, "bad_request", "adapter"),
        (#"{"id":1,"prompt":"x","adapter":"cooking"}"#, "adapter_not_found", "adapter"),
        (#"{"id":1,"prompt":"x","special_tokens":"no"}"#, "bad_request", "special_tokens"),
        (#"{"id":1,"prompt":"x","special_tokens":true}"#, "bad_request", "special_tokens"),
        (#"{"id":1,"tokens":[1],"special_tokens":"text"}"#, "bad_request", "special_tokens"),
        (#"{"op":"tokenize","text":"x","special_tokens":"all"}"#, "bad_request", "special_tokens"),
        (#"{"op":"cancel"}"#, "bad_request", "id"),
        (#"{"op":"cancel","id":"gone"}"#, "bad_request", "id"),
        (#"{"op":"load_adapter","name":"x"}"#, "bad_request", "path"),
        (#"{"op":"load_adapter","name":"","path":"/x"}"#, "bad_request", "name"),
        (#"{"op":"load_adapter","name":"x","path":"/missing"}"#, "adapter_invalid", "path"),
        (#"{"op":"unload_adapter","name":"x"}"#, "adapter_not_found", "name"),
        (#"{"op":"merge_adapter","name":"x"}"#, "adapter_not_found", "name"),
        (#"{"op":"merge_adapter","name":"law","weight":1e6}"#, "bad_request", "weight"),
        (#"{"op":"unmerge_adapter","name":"law"}"#, "bad_request", "name"),
        (#"{"op":"tokenize"}"#, "bad_request", "text"),
        (#"{"op":"detokenize"}"#, "bad_request", "tokens"),
        (#"{"op":"detokenize","tokens":[258]}"#, "bad_request", "tokens"),
    ]

    @Test(arguments: lines.indices)
    func refusesTheLineAndGoesOn(index: Int) throws {
        let (line, code, field) = Self.lines[index]
        let desk = Desk()
        let failure = try desk.failure(line)
        #expect(failure.code == code, "\(line)")
        #expect(failure.field == field, "\(line)")
        #expect(!failure.message.isEmpty)
        #expect(try desk.events(after: #"{"op":"tokenize","text":"a"}"#).count == 1)
        #expect(desk.generator.requests.isEmpty)
        #expect(desk.adapters.leases.allSatisfy { $0.releaseCount == 1 })
    }

    @Test func namesTheProblemInASentence() throws {
        let desk = Desk()
        #expect(
            try desk.failure(#"{"id":1,"prompt":"x","max_tokens":1.5}"#).message
                == "'max_tokens' is 1.5, expected an integer from 0")
        #expect(
            try desk.failure(#"{"id":1,"op":"cancel","name":"x"}"#).message
                == "unknown field 'name': cancel takes op, id")
        #expect(
            try desk.failure("[]").message == "the line is an array: a line must be a JSON object")
        #expect(
            try desk.failure(#"{"id":1,"prompt":"x","adapter":"cooking"}"#).message
                == "no adapter 'cooking' is loaded; loaded: law, medicine")
    }

    @Test func echoesTheIDWhereThereIsOne() throws {
        let desk = Desk()
        #expect(try desk.failure(#"{"id":"é","n":1}"#).id == .string("é"))
        #expect(
            try desk.failure(#"{"id":18446744073709551615,"n":1}"#).id == .unsigned(UInt64.max))
        #expect(try desk.failure("{").id == .null)
        #expect(try desk.failure(#"{"id":[],"op":"stats"}"#).id == .null)
    }

    @Test func refusesInvalidUTF8AndDeepNesting() throws {
        let desk = Desk()
        desk.session.receive(.line(Array(#"{"id":1,"prompt":""#.utf8) + [0xFF] + Array("\"}".utf8)))
        #expect(try desk.events()[0]["code"] == .string("bad_json"))
        let deep = String(repeating: "[", count: 65) + String(repeating: "]", count: 65)
        #expect(try desk.failure(deep).code == "bad_json")
        #expect(try desk.failure(String(repeating: "[", count: 1_000_000)).code == "bad_json")
    }

    @Test func reportsALineThatIsTooLong() throws {
        let desk = Desk()
        desk.session.receive(.tooLong(limit: 10))
        let event = try desk.events()[0]
        #expect(event["code"] == .string("line_too_long"))
        #expect(event["id"] == .null)
        #expect(event["message"] == .string("the line is longer than 10 bytes: shorten it"))
    }

    @Test func boundsStopStrings() throws {
        let desk = Desk()
        let many = Array(repeating: "\"s\"", count: 17).joined(separator: ",")
        #expect(try desk.failure("{\"id\":1,\"prompt\":\"x\",\"stop\":[\(many)]}").field == "stop")
        let long = String(repeating: "x", count: 1025)
        let failure = try desk.failure("{\"id\":1,\"prompt\":\"x\",\"stop\":[\"\(long)\"]}")
        #expect(failure.field == "stop")
        #expect(failure.message.utf8.count < 200)
    }

    @Test func refusesTwoRequestsWithOneID() throws {
        let desk = Desk()
        #expect(try desk.events(after: #"{"id":1,"prompt":"x"}"#).isEmpty)
        let failure = try desk.failure(#"{"id":1,"prompt":"y"}"#)
        #expect(failure.code == "duplicate_id")
        #expect(failure.field == "id")
        #expect(try desk.events(after: #"{"id":"1","prompt":"y"}"#).isEmpty)
        desk.generator.finish(0, .length)
        _ = try desk.events()
        #expect(try desk.events(after: #"{"id":1,"prompt":"y"}"#).isEmpty)
        #expect(desk.generator.requests.count == 3)
    }

    @Test func boundsMixes() throws {
        func mix(_ count: Int) -> String {
            let entries = (0..<count).map { "\"a\($0)\":\($0 == 0 ? 1 : 0)" }.joined(separator: ",")
            return "{\"id\":1,\"prompt\":\"x\",\"adapter\":{\(entries)}}"
        }
        let desk = Desk()
        let failure = try desk.failure(mix(17))
        #expect(failure.field == "adapter")
        #expect(failure.message == "'adapter' mixes 17 adapters, at most 16 are possible")
        // One fewer gets as far as to names that nobody knows.
        #expect(try desk.failure(mix(16)).code == "adapter_not_found")
        #expect(try desk.failure(mix(15)).code == "adapter_not_found")
    }

    @Test func namesAnEmptyStopString() throws {
        let failure = try Desk().failure(#"{"id":1,"prompt":"x","stop":["a",""]}"#)
        #expect(
            failure.message
                == "'stop' has an empty string, which every answer begins with: leave it out")
    }

    @Test func refusesBeforeTokenizingWhenTheQueueIsFull() throws {
        let tokenizer = ByteTokenizer()
        let desk = Desk(tokenizer: tokenizer)
        desk.generator.refuse(.overloaded(requestLimit: 3))
        #expect(try desk.failure(#"{"id":1,"prompt":"x"}"#).code == "overloaded")
        desk.generator.refuse(.shuttingDown)
        #expect(try desk.failure(#"{"id":1,"prompt":"x"}"#).code == "shutting_down")
        #expect(tokenizer.encodeCount == 0)
    }

    @Test func refusesTextWithoutATokenizer() throws {
        let desk = Desk(tokenizer: nil)
        let failure = try desk.failure(#"{"id":1,"prompt":"x"}"#)
        #expect(failure.code == "bad_request")
        #expect(
            failure.message
                == "this base has no tokenizer, so it takes no 'prompt': send token ids as 'tokens'"
        )
        #expect(
            try desk.failure(#"{"id":1,"messages":[{"role":"user","content":"x"}]}"#).field
                == "messages")
        #expect(try desk.failure(#"{"op":"tokenize","text":"x"}"#).field == "text")
        #expect(desk.adapters.leases.allSatisfy { $0.releaseCount == 1 })
    }

    @Test func refusesAnEmptyPromptWithoutABeginningToken() throws {
        let desk = Desk(tokenizer: ByteTokenizer(addsBeginning: false))
        let failure = try desk.failure(#"{"id":1,"prompt":""}"#)
        #expect(failure.code == "bad_request")
        #expect(failure.field == "prompt")
    }
}
