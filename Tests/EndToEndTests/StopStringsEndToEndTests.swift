import Foundation
import StrictJSON
import Testing

/// Stop strings cut from a real answer, over the borders of a real vocabulary's tokens.
struct StopStringsEndToEndTests {
    @Test(.enabled(if: Checkout.smolLM2 != nil, "SmolLM2 is not in the cache"))
    func smolLM2StopsBeforeAnyPartOfItsAnswer() throws {
        let server = try LoggedGraft(
            ["--socket", "SOCKET", "--base", try #require(Checkout.smolLM2)])
        let client = try server.connect()
        func request(_ id: Int, _ members: String) -> String {
            #"{"id":\#(id),"prompt":"List: 1. 🙂 one, 2. 🙂 two, 3. 🙂","max_tokens":40,"#
                + #""temperature":0,"ignore_eos":true\#(members)}"#
        }
        let whole = try #require(
            try client.answer(0, after: request(0, ""))?["text"]?.stringValue)
        let scalars = Array(whole.unicodeScalars)
        var stops: [String] = []
        for start in stride(from: 0, to: scalars.count - 1, by: max(1, scalars.count / 24)) {
            let end = min(scalars.count, start + 1 + stops.count % 12)
            stops.append(String(String.UnicodeScalarView(scalars[start..<end])))
        }
        for (index, stop) in stops.enumerated() {
            let streams = index % 2 == 0
            let extra = index % 3 == 0 ? #","logprobs":1"# : ""
            client.send(
                request(
                    index + 1,
                    #","stop":\#(JSONValue.string(stop).serialized()),"stream":\#(streams)\#(extra)"#
                ))
        }
        var streamed: [Int: String] = [:]
        var openCount = stops.count
        while openCount > 0 {
            let event = try #require(try client.next())
            let id = try #require(event["id"]?.intValue)
            let text = event["text"]?.stringValue ?? ""
            guard event["event"]?.stringValue == "done" else {
                streamed[id, default: ""] += text
                continue
            }
            openCount -= 1
            let stop = stops[id - 1]
            let expected = textBefore(Array(stop.utf8), in: Array(whole.utf8))
            #expect(Array(text.utf8) == expected, "stop '\(stop)'")
            #expect(streamed[id] == ((id - 1) % 2 == 0 ? text : nil))
            #expect(event["finish_reason"]?.stringValue == "stop")
        }
    }

    private func textBefore(_ stop: [UInt8], in text: [UInt8]) -> [UInt8] {
        let start = text.indices.first { text[$0...].starts(with: stop) }
        return Array(text[..<(start ?? text.endIndex)])
    }
}
