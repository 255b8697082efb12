import Serving
import Testing

@Suite struct StopMatcherTests {
    /// The text that comes out, and whether a stop string was found.
    private func run(_ pieces: [String], _ stops: [String]) -> (text: String, hasStopped: Bool) {
        var matcher = StopMatcher(stops)
        var text = pieces.map { matcher.append($0) }.joined()
        text += matcher.finish()
        return (text, matcher.hasStopped)
    }

    /// What `run` must give, by searching: the match that ends first, of equal ones the longest.
    private func expected(_ text: [UInt8], _ stops: [[UInt8]]) -> (text: [UInt8], hasStopped: Bool)
    {
        for end in 0...text.count {
            let lengths = stops.filter {
                $0.count <= end && Array(text[(end - $0.count)..<end]) == $0
            }
            .map(\.count)
            if let longest = lengths.max() { return (Array(text[..<(end - longest)]), true) }
        }
        return (text, false)
    }

    @Test func passesEverythingWithoutStopStrings() {
        var matcher = StopMatcher([])
        #expect(matcher.append("any text") == "any text")
        #expect(!matcher.isHolding)
    }

    @Test func holdsBackThePossibleBeginningOnly() {
        var matcher = StopMatcher(["###"])
        #expect(matcher.append("a#") == "a")
        #expect(matcher.append("b##") == "#b")
        #expect(matcher.isHolding)
        #expect(matcher.finish() == "##")
        #expect(!matcher.hasStopped)
    }

    @Test func fallsBackInsideAStopStringThatRepeatsItself() {
        #expect(run(["aab", "aaba", "aabaac", "x"], ["aabaac"]) == ("aabaaba", true))
    }

    @Test func giveNothingAfterTheStop() {
        var matcher = StopMatcher(["END"])
        #expect(matcher.append("text EN") == "text ")
        #expect(matcher.append("D more END") == "")
        #expect(matcher.hasStopped)
        #expect(matcher.append("later") == "")
        #expect(matcher.finish() == "")
    }

    @Test func takesTheLongestOfThoseThatEndTogether() {
        #expect(run(["xabc"], ["c", "abc", "bc"]) == ("x", true))
    }

    @Test func takesTheOneThatIsCompleteFirst() {
        #expect(run(["abcd"], ["abcd", "bc"]) == ("a", true))
    }

    @Test func matchesCharactersByTheirBytes() {
        #expect(run(["caf", "é", " ☕", "!"], ["é ☕"]) == ("caf", true))
        #expect(run(["e\u{301}"], ["é"]) == ("e\u{301}", false))
    }

    /// Every text over two letters up to nine long, every cut into two pieces and single letters,
    /// with several sets of stop strings, against a search.
    @Test func agreesWithASearchHoweverTheTextIsCut() {
        let sets = [
            ["a"], ["ab"], ["aba"], ["abab"], ["aab", "b"], ["abb", "bab", "aa"], ["bbbb"],
        ]
        for length in 0...9 {
            for number in 0..<(1 << length) {
                let letters = (0..<length).map { number >> $0 & 1 == 0 ? "a" : "b" }
                let text = letters.joined()
                for stops in sets {
                    let wanted = expected(Array(text.utf8), stops.map { Array($0.utf8) })
                    let wantedText = String(decoding: wanted.text, as: UTF8.self)
                    #expect(run(letters, stops) == (wantedText, wanted.hasStopped))
                    let cut = length / 2
                    let halves = [letters[..<cut].joined(), letters[cut...].joined()]
                    #expect(run(halves, stops) == (wantedText, wanted.hasStopped))
                }
            }
        }
    }

    @Test func neverGivesOutWhatBelongsToAStopString() {
        for cut in 0...7 {
            let text = Array("ab STOP cd")
            var matcher = StopMatcher(["STOP"])
            var out = matcher.append(String(text[..<cut]))
            #expect("ab ".hasPrefix(out))
            out += matcher.append(String(text[cut...]))
            #expect(out == "ab ")
        }
    }
}
