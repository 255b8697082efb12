import Serving
import Testing

@Suite struct LineFramerTests {
    /// Frames a text that arrives in pieces of `size` bytes.
    private func lines(_ text: String, size: Int, limit: Int = 100) -> [FramedLine] {
        var framer = LineFramer(limit: limit)
        var lines: [FramedLine] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { piece in
                framer.append(piece) { lines.append($0) }
            }
        }
        framer.finish { lines.append($0) }
        return lines
    }

    private func line(_ text: String) -> FramedLine { .line(Array(text.utf8)) }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func cutsLinesHoweverTheyArrive(size: Int) {
        #expect(
            lines("one\ntwo\r\n\n  \t\r\nthree \u{2028} é\n", size: size)
                == [line("one"), line("two"), line("three \u{2028} é")])
    }

    @Test(arguments: [1, 5, 1000])
    func givesTheUnterminatedLastLine(size: Int) {
        #expect(lines("one\ntwo", size: size) == [line("one"), line("two")])
        #expect(lines("one\n\r", size: size) == [line("one")])
    }

    @Test(arguments: [1, 4, 9, 10, 11, 12, 1000])
    func skipsALongLineOnceAndGoesOn(size: Int) {
        let long = String(repeating: "x", count: 11)
        let full = String(repeating: "y", count: 10)
        #expect(
            lines("\(long)\n\(full)\r\n\(long)\(long)\r\n\(full)\n", size: size, limit: 10)
                == [.tooLong(limit: 10), line(full), .tooLong(limit: 10), line(full)])
    }

    @Test func reportsALongLineBeforeItEnds() {
        var framer = LineFramer(limit: 3)
        var lines: [FramedLine] = []
        Array("abcdefgh".utf8).withUnsafeBytes { piece in framer.append(piece) { lines.append($0) }
        }
        #expect(lines == [.tooLong(limit: 3)])
        framer.finish { lines.append($0) }
        #expect(lines == [.tooLong(limit: 3)])
    }

    /// Ten bytes of its own and twenty shared ones.
    @Test(arguments: [(29, true), (30, true), (31, false)])
    func takesLongLinesOutOfTheSharedBudget(byteCount: Int, fits: Bool) {
        let budget = ByteBudget(limit: 20)
        var framer = LineFramer(limit: 100, ownByteCount: 10, budget: budget)
        var lines: [FramedLine] = []
        let text = String(repeating: "x", count: byteCount)
        for byte in Array(text.utf8) {
            withUnsafeBytes(of: byte) { piece in framer.append(piece) { lines.append($0) } }
        }
        #expect(budget.byteCount == (fits ? byteCount - 10 : 0))
        Array("\nok\n".utf8).withUnsafeBytes { piece in framer.append(piece) { lines.append($0) } }
        #expect(lines == [fits ? line(text) : .noRoom, line("ok")])
        #expect(budget.byteCount == 0)
    }

    @Test func givesTheRoomOfAnUnfinishedLineBack() {
        let budget = ByteBudget(limit: 20)
        var framer = LineFramer(limit: 100, ownByteCount: 0, budget: budget)
        Array("unfinished".utf8).withUnsafeBytes { piece in framer.append(piece) { _ in } }
        #expect(budget.byteCount == 10)
        framer.abandon()
        #expect(budget.byteCount == 0)
        framer.finish { _ in Issue.record("nothing is wanted of it") }
    }
}
