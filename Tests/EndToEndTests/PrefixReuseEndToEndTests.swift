import Foundation
import StrictJSON
import Testing

/// Keys and values that are found again belong to the content that answers, in its mix.
struct PrefixReuseEndToEndTests {
    private static let base = ["--base", Checkout.model("tiny-llama")]
    private static let prompt = (0..<50).map { ($0 * 37 + 11) % 500 + 3 }
    /// Pages that hold all but the last token, which has to be computed.
    private static let pagedTokenCount = 48

    private func server(_ adapters: [String], _ arguments: [String] = []) throws -> RunningGraft {
        try RunningGraft(
            Self.base + adapters.flatMap { ["--adapter", "\($0)=\(Checkout.adapter($0))"] }
                + arguments)
    }

    private func done(_ server: RunningGraft, _ adapter: String) throws -> JSONObject {
        try server.ask(
            #""tokens":\#(Self.prompt),"adapter":\#(adapter),"max_tokens":16,"temperature":0,"#
                + #""ignore_eos":true,"stream":false"#)
    }

    @Test func aMixFindsItsOwnPagesOnly() throws {
        let mixes = [
            #"{"law":0.7,"medicine":-0.3}"#, #"{"law":-0.3,"medicine":0.7}"#,
            #"{"law":0.7,"medicine":0.3}"#, #"{"law":0.7}"#, #"{"law":0.7,"medicine":0}"#,
            #"{"law":0.7,"medicine":-0.3,"rank-64":1}"#,
        ]
        let names = ["law", "medicine", "rank-64"]
        let plain = try server(names, ["--prefix-cache", "off"])
        let caching = try server(names)
        // At weight 0 an adapter has no part, so that the fifth is the fourth.
        let found = [0, 0, 0, 0, Self.pagedTokenCount, 0]
        for (mix, count) in zip(mixes, found) {
            let expected = try done(plain, mix)
            #expect(expected.cachedTokenCount == 0)
            let first = try done(caching, mix)
            #expect(first.cachedTokenCount == count, "\(mix)")
            #expect(first.tokens == expected.tokens, "\(mix)")
            let second = try done(caching, mix)
            #expect(second.cachedTokenCount == Self.pagedTokenCount, "\(mix)")
            #expect(second.tokens == expected.tokens, "\(mix)")
        }
        // Names in another order are the same mix.
        let turned = try done(caching, #"{"medicine":-0.3,"law":0.7}"#)
        #expect(turned.cachedTokenCount == Self.pagedTokenCount)
        try plain.stop()
        try caching.stop()
    }

    @Test func aRepointedNameFindsNothingOfItsOldContent() throws {
        let expected = try ["law", "medicine"].map { name in
            let server = try self.server([name])
            defer { try? server.stop() }
            return try done(server, "\"\(name)\"").tokens
        }
        #expect(expected[0] != expected[1])
        let server = try self.server([])
        func point(_ name: String, unloading: Bool) throws {
            if unloading {
                #expect(
                    try server.ask(#""op":"unload_adapter","name":"x""#)["event"]?.stringValue
                        == "adapter_unloaded")
            }
            #expect(
                try server.ask(
                    #""op":"load_adapter","name":"x","path":"\#(Checkout.adapter(name))""#)[
                        "event"]?
                    .stringValue == "adapter_loaded")
        }
        try point("law", unloading: false)
        #expect(try done(server, #""x""#).tokens == expected[0])
        for unloading in [true, false] {
            // The old content is found under the content's identity, never under the name.
            let isFirst = unloading
            try point("medicine", unloading: unloading)
            let other = try done(server, #""x""#)
            #expect(other.cachedTokenCount == (isFirst ? 0 : Self.pagedTokenCount))
            #expect(other.tokens == expected[1])
            try point("law", unloading: unloading)
            let again = try done(server, #""x""#)
            #expect(again.cachedTokenCount == Self.pagedTokenCount)
            #expect(again.tokens == expected[0])
        }
        try server.stop()
    }
}
