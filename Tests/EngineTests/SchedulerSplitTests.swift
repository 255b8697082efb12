import Engine
import Testing

/// Sequences on whose first tokens another selection acts.
@Suite struct SchedulerSplitTests {
    private final class Mark {}
    private let marks = (0..<3).map { _ in Mark() }

    private func scheduler() -> PagedScheduler {
        PagedScheduler(
            limits: SchedulerLimits(
                rowCount: 64, logitsRowCount: 64, prefillChunk: 16, prefillBudget: 16,
                sequenceCount: 4,
                pageCount: 64, pageTokenCount: 16))
    }

    private func sequence(_ number: Int, lane: Int) -> ScheduledSequence {
        ScheduledSequence(
            number: number, selection: ObjectIdentifier(marks[lane]), tokenCount: 4,
            firstLogitsToken: 3)
    }

    private func split(
        _ number: Int, lane: Int, at place: Int, tokens: Int, firstLogits: Int? = nil
    ) -> ScheduledSequence {
        ScheduledSequence(
            number: number, selection: ObjectIdentifier(marks[lane]),
            earlier: .init(selection: ObjectIdentifier(marks[0]), tokenCount: place),
            tokenCount: tokens, firstLogitsToken: firstLogits ?? tokens - 1)
    }

    @Test func aChunkIsSplitWhereAnotherSelectionBegins() {
        var scheduler = scheduler()
        scheduler.add(split(0, lane: 1, at: 20, tokens: 40, firstLogits: 18))
        let steps = (0..<3).map { _ in scheduler.nextStep().slices }
        #expect(steps.map { $0.map(\.tokens) } == [[0..<16], [16..<20, 20..<32], [32..<40]])
        #expect(steps.map { $0.map(\.firstLogitsToken) } == [[16], [18, 20], [32]])
        #expect(steps.map { $0.map(\.isContinued) } == [[false], [true, false], [false]])
        let lanes = steps.joined().map { slice in
            marks.firstIndex { ObjectIdentifier($0) == slice.selection }
        }
        #expect(lanes == [0, 0, 1, 1])
    }

    @Test func slicesOfOneSequenceKeepTheirOrderAmongSelections() {
        var scheduler = scheduler()
        scheduler.add(sequence(0, lane: 1))
        _ = scheduler.nextStep()
        scheduler.appendToken(to: 0)
        scheduler.add(sequence(1, lane: 2))
        scheduler.add(split(2, lane: 1, at: 3, tokens: 8))
        scheduler.add(sequence(3, lane: 0))
        let slices = scheduler.nextStep().slices
        #expect(slices.map(\.number) == [3, 2, 0, 2, 1])
        #expect(slices.filter { $0.number == 2 }.map(\.tokens) == [0..<3, 3..<8])
    }

    @Test func aSelectionThatNeverBeginsLeavesAllToTheEarlierOne() {
        var scheduler = scheduler()
        scheduler.add(split(0, lane: 1, at: .max, tokens: 4))
        #expect(scheduler.nextStep().slices.map(\.selection) == [ObjectIdentifier(marks[0])])
        scheduler.appendToken(to: 0)
        #expect(scheduler.nextStep().slices.map(\.selection) == [ObjectIdentifier(marks[0])])
    }
}
