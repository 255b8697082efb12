import Engine
import Serving
import StrictJSON
import Testing

/// Numbers and strings as clients write them.
@Suite struct RequestNumbersTests {
    @Test(arguments: ["256", "256.0", "2.56e2", "25600e-2"])
    func takesIntegersHoweverTheyAreWritten(number: String) throws {
        let desk = Desk()
        desk.receive(
            #"{"id":1,"tokens":[5.0,\#(number)],"max_tokens":\#(number),"top_k":\#(number),"#
                + #""seed":\#(number),"timeout_ms":\#(number),"logprobs":1.0,"priority":-2.0}"#)
        let request = try #require(desk.generator.requests.first)
        #expect(request.maximumNewTokenCount == 256)
        #expect(request.tokens == [5, 256])
        #expect(request.timeout == .milliseconds(256))
        #expect(request.logprobCount == 1)
        #expect(request.priority == -2)
        #expect(
            request.sampling == (try SamplingParameters(temperature: 1, topK: 256, seed: 256)))
    }

    @Test func takesIntegralNumbersAsIDs() throws {
        let desk = Desk()
        desk.receive(#"{"id":1e2,"prompt":"x"}"#)
        #expect(try desk.failure(#"{"id":100,"prompt":"x"}"#).code == "duplicate_id")
        desk.generator.finish(0, .length)
        #expect(try desk.events()[0]["id"] == 100)
    }

    @Test(arguments: [
        "2147483648", "2147483649", "1000000000000", "18446744073709551615", "1e30", "1e300",
        "18446744073709551616",
    ])
    func takesTooManyTokensForAsManyAsFit(number: String) throws {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"x","max_tokens":\#(number)}"#)
        #expect(desk.generator.requests.map(\.maximumNewTokenCount) == [1 << 31])
    }

    @Test func takesNullForAbsent() throws {
        let desk = Desk()
        desk.receive(
            #"{"id":1,"prompt":"x","messages":null,"tokens":null,"adapter":null,"max_tokens":null,"#
                + #""temperature":null,"top_k":null,"top_p":null,"min_p":null,"seed":null,"#
                + #""repetition_penalty":null,"presence_penalty":null,"frequency_penalty":null,"#
                + #""logit_bias":null,"stop":null,"ignore_eos":null,"logprobs":null,"#
                + #""prompt_logprobs":null,"stream":null,"timeout_ms":null,"priority":null,"op":null}"#
        )
        #expect(desk.generator.requests.map(\.maximumNewTokenCount) == [256])
        #expect(desk.generator.requests[0].sampling == (try SamplingParameters(temperature: 1)))
    }

    @Test func keepsNULInAPrompt() {
        let desk = Desk()
        desk.receive(#"{"id":1,"prompt":"a\u0000b"}"#)
        #expect(desk.generator.requests.map(\.tokens) == [[256, 97, 0, 98]])
    }

    /// Swift's strings are equal where their characters are.
    @Test func tellsIDsApartByTheirBytes() throws {
        let desk = Desk()
        desk.receive("{\"id\":\"\u{E9}\",\"prompt\":\"x\"}")
        desk.receive("{\"id\":\"e\u{301}\",\"prompt\":\"x\"}")
        #expect(desk.generator.requests.count == 2)
        desk.receive("{\"op\":\"cancel\",\"id\":\"e\u{301}\"}")
        #expect(desk.generator.cancelledPlaces == [1])
        desk.generator.finish(1, .cancelled)
        let id = try #require(try desk.events()[0]["id"]?.stringValue)
        #expect(Array(id.utf8) == Array("e\u{301}".utf8))
    }
}
