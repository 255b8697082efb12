import Foundation
import StrictJSON
import Testing

/// Prompts at the end of the context: answered or refused with both counts, never cut.
struct ContextEndToEndTests {
    private static let context = 64

    /// Tokens that adapters put in front count.
    @Test(arguments: [
        ("null", 0), (#""soft""#, 5), (#""prefix""#, 4),
    ])
    func virtualTokensCount(adapter: String, virtualCount: Int) throws {
        let room = Self.context - virtualCount - 1
        func request(_ id: Int, _ count: Int, _ members: String) -> String {
            let tokens = (0..<count).map { "\(1 + $0)" }.joined(separator: ",")
            return #"{"id":\#(id),"tokens":[\#(tokens)],"adapter":\#(adapter),"ignore_eos":true,"#
                + #""temperature":0,"stream":false,\#(members)}"#
        }
        let events = try GraftProcess.serve(
            [
                "--base", Checkout.model("tiny-llama"), "--context", "\(Self.context)",
                "--adapter", "soft=" + Checkout.path("Tests/Goldens/methods/prompt_tuning/random"),
                "--adapter", "prefix=" + Checkout.path("Tests/Goldens/methods/prefix_tuning/plain"),
            ],
            [
                request(1, room - 1, #""max_tokens":1000000000000"#),
                request(2, room, #""max_tokens":1000"#),
                request(3, room + 1, #""max_tokens":1"#),
                request(4, room + 1, #""max_tokens":0,"prompt_logprobs":0"#),
                request(5, 5000, #""max_tokens":1"#),
            ])
        #expect(events.done(1)?.tokens.count == 2)
        #expect(events.done(2)?.tokens.count == 1)
        #expect(events.done(2)?["finish_reason"]?.stringValue == "length")
        #expect(events.done(4)?["finish_reason"]?.stringValue == "length")
        for (id, count) in [(3, room + 1), (5, 5000)] {
            let error = try #require(events.of(id).first)
            #expect(error["code"]?.stringValue == "context_too_long")
            let message = try #require(error["message"]?.stringValue)
            #expect(message.contains("\(count) tokens"), "\(message)")
            // What is too long for any adapter is refused before one is looked at.
            let limit = id == 5 ? Self.context - 1 : room
            #expect(message.contains("room for \(limit)"), "\(message)")
        }
    }

    @Test func aLongTextIsRefusedBeforeItIsTokenized() throws {
        let text = String(repeating: "abcdefgh ", count: 800_000)
        let events = try GraftProcess.serve(
            ["--base", Checkout.model("tiny-llama"), "--context", "\(Self.context)"],
            [
                #"{"id":1,"prompt":"\#(text)"}"#,
                #"{"id":2,"prompt":"short","max_tokens":1,"ignore_eos":true}"#,
            ])
        let error = try #require(events.of(1).first)
        #expect(error["code"]?.stringValue == "context_too_long")
        #expect(error["message"]?.stringValue?.contains("6400000 bytes beside white space") == true)
        #expect(events.done(2)?.tokens.count == 1)
    }
}
