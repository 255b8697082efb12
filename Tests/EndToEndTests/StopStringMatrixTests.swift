import Foundation
import StrictJSON
import Testing

/// Stop strings cut from real answers, whatever else the request asks for and however tokens are
/// made.
struct StopStringMatrixTests {
    private static let adapters = ["null", "\"law\"", #"{"law":0.5,"medicine":0.5}"#]

    private func request(_ id: Int, _ adapter: String, _ ignoresEnd: Bool, _ more: String) -> String
    {
        #"{"id":\#(id),"prompt":"The court","adapter":\#(adapter),"#
            + #""max_tokens":40,"temperature":0,"ignore_eos":\#(ignoresEnd)\#(more)}"#
    }

    private func before(_ stop: [UInt8], in text: [UInt8]) -> [UInt8] {
        let start = text.indices.first { text[$0...].starts(with: stop) }
        return Array(text[..<(start ?? text.endIndex)])
    }

    /// Pieces of a text, of one to twelve characters.
    private func pieces(of text: String) -> [String] {
        let scalars = Array(text.unicodeScalars)
        return stride(from: 0, to: scalars.count - 1, by: max(1, scalars.count / 12)).enumerated()
            .map { number, start in
                let end = min(scalars.count, start + 1 + number * 5 % 12)
                return String(String.UnicodeScalarView(scalars[start..<end]))
            }
    }

    @Test(arguments: [0, 8], [false, true])
    func answersEndBeforeThem(guessCount: Int, ignoresEnd: Bool) throws {
        let arguments =
            ["--base", Checkout.model("tiny-demo"), "--draft-tokens", "\(guessCount)"]
            + ["law", "medicine"].flatMap {
                ["--adapter", "\($0)=" + Checkout.path("models/tiny-demo-adapters/\($0)")]
            }
        let whole = try GraftProcess.serve(
            arguments,
            Self.adapters.enumerated().map { request($0, $1, ignoresEnd, "") })
        var asked: [(adapter: Int, stops: [String])] = []
        for index in Self.adapters.indices {
            let text = try #require(whole.done(index)?["text"]?.stringValue)
            #expect(text.count > 20)
            let pieces = pieces(of: text)
            asked += pieces.map { (index, [$0]) }
            // One is the beginning or the end of the other, and one never comes.
            for piece in pieces.prefix(4) where piece.count > 1 {
                asked.append((index, [piece, String(piece.dropLast())]))
                asked.append((index, [piece, String(piece.dropFirst()), "§§"]))
            }
            asked.append((index, ["§§"]))
            // Only the last token completes it; its first half ends the budget.
            asked.append((index, [String(text.suffix(3))]))
            asked.append((index, [String(text.suffix(2)) + "§"]))
        }
        let lines = asked.enumerated().flatMap { number, one in
            let stops = JSONValue.array(one.stops.map(JSONValue.string)).serialized()
            return [true, false].map { streams in
                let logprobs = number % 3 == 0 ? #","logprobs":2"# : ""
                return request(
                    2 * number + (streams ? 0 : 1), Self.adapters[one.adapter], ignoresEnd,
                    #","stop":\#(stops),"stream":\#(streams)\#(logprobs)"#)
            }
        }
        let events = try GraftProcess.serve(arguments, lines)
        for (number, one) in asked.enumerated() {
            let text = Array((whole.done(one.adapter)?["text"]?.stringValue ?? "").utf8)
            // The one that is complete first, of those the longest.
            let ends = one.stops.compactMap { stop -> (end: Int, start: Int)? in
                let head = before(Array(stop.utf8), in: text)
                return head.count == text.count
                    ? nil : (head.count + stop.utf8.count, head.count)
            }
            let first = ends.min { ($0.end, $0.start) < ($1.end, $1.start) }
            let expected = first.map { Array(text[..<$0.start]) } ?? text
            let dones = [0, 1].map { events.done(2 * number + $0) }
            for done in dones {
                #expect(Array((done?["text"]?.stringValue ?? "").utf8) == expected, "\(one.stops)")
                if first != nil { #expect(done?["finish_reason"]?.stringValue == "stop") }
            }
            let streamed = events.of(2 * number).filter { $0["event"]?.stringValue == "token" }
                .map { $0["text"]?.stringValue ?? "" }.joined()
            #expect(Array(streamed.utf8) == expected, "\(one.stops)")
            #expect(dones[0]?["usage"] == dones[1]?["usage"])
            #expect(dones[0]?.tokens == dones[1]?.tokens)
        }
    }
}
