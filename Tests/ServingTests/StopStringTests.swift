import Engine
import Serving
import StrictJSON
import Testing

/// Stop strings over the borders of tokens and characters, from lines to events.
@Suite struct StopStringTests {
    private static let answer = "One, two – naïve 👨‍👩‍👧 ñ 你好: a\u{301}b 🎉🎉 abcabcabd one, two."

    /// Draws the same numbers each time.
    private struct Draws: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    /// The answer's bytes in pieces of one to five.
    private func pieces(_ draws: inout Draws) -> [[UInt8]] {
        var rest = Array(Self.answer.utf8)[...]
        var pieces: [[UInt8]] = []
        while !rest.isEmpty {
            let count = Int.random(in: 1...5, using: &draws)
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return pieces
    }

    /// Where the first stop string begins that is complete, the longest of those that end there.
    private func end(of stops: [String]) -> Int? {
        let text = Array(Self.answer.utf8)
        for end in 1...text.count {
            let lengths = stops.map { Array($0.utf8) }.filter {
                text[..<end].suffix($0.count) == $0[...]
            }
            if let longest = lengths.map(\.count).max() { return end - longest }
        }
        return nil
    }

    private func check(
        _ stops: [String], _ pieces: [[UInt8]], streams: Bool
    ) throws {
        let desk = Desk(tokenizer: PieceTokenizer(pieces))
        let stopJSON = JSONValue.array(stops.map { .string($0) }).serialized()
        desk.receive(#"{"id":1,"prompt":"x","stream":\#(streams),"stop":\#(stopJSON)}"#)
        var sentCount = 0
        for token in pieces.indices {
            sentCount += 1
            if desk.generator.send(Int32(token), to: 0) == .stop { break }
        }
        let end = end(of: stops)
        desk.generator.finish(0, end == nil ? .length : .stop)
        let events = try desk.events()
        let expected = String(
            decoding: Array(Self.answer.utf8)[..<(end ?? Self.answer.utf8.count)], as: UTF8.self)
        let done = try #require(events.last)
        let text = try #require(done["text"]?.stringValue)
        #expect(Array(text.utf8) == Array(expected.utf8), "stop \(stops)")
        #expect(done["usage"]?.objectValue?["completion_tokens"]?.intValue == sentCount)
        let streamed = events.dropLast().map { $0["text"]?.stringValue ?? "" }.joined()
        #expect(Array(streamed.utf8) == (streams ? Array(expected.utf8) : []), "stop \(stops)")
    }

    @Test(arguments: [true, false])
    func cutsBeforeAnyPartOfTheAnswer(streams: Bool) throws {
        var draws = Draws(state: 7)
        let scalars = Array(Self.answer.unicodeScalars)
        for _ in 0..<200 {
            let start = Int.random(in: scalars.indices, using: &draws)
            let count = Int.random(in: 1...12, using: &draws)
            let stop = String(
                String.UnicodeScalarView(scalars[start..<min(start + count, scalars.count)]))
            try check([stop], pieces(&draws), streams: streams)
        }
    }

    @Test(arguments: [
        ["abc", "abcabd"], ["bcabd", "abcabd"], ["b", "abcabcabd"], ["abcabd", "cabd"],
        ["never comes"], ["one, two.!"], ["two."], ["🎉🎉 abcx", "never"], ["\u{E1}"],
        ["👩", "👨‍👩‍👧"], [" "],
    ])
    func agreesWithASearch(stops: [String]) throws {
        for seed in 0..<20 {
            var draws = Draws(state: UInt64(seed))
            let pieces = pieces(&draws)
            try check(stops, pieces, streams: true)
            try check(stops, pieces, streams: false)
        }
    }

    /// What begins a stop string when the budget ends is text after all.
    @Test func givesTheFirstHalfOfAStopStringAtTheEnd() throws {
        let pieces = [Array("ab".utf8), Array("cE".utf8), Array("N".utf8)]
        let desk = Desk(tokenizer: PieceTokenizer(pieces))
        desk.receive(#"{"id":1,"prompt":"x","stop":"END"}"#)
        for token in pieces.indices { desk.generator.send(Int32(token), to: 0) }
        desk.generator.finish(0, .length)
        let events = try desk.events()
        #expect(events.dropLast().map { $0["text"] } == ["ab", "c", "EN"])
        #expect(events.last?["text"] == "abcEN")
    }
}
