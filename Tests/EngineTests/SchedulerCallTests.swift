import Engine
import Testing

/// Sequences whose prompt must be computed in one step.
@Suite struct SchedulerCallTests {
    private final class Mark {}
    private let marks = (0..<3).map { _ in Mark() }

    private func scheduler(rows: Int = 64, pages: Int = 64) -> PagedScheduler {
        PagedScheduler(
            limits: SchedulerLimits(
                rowCount: rows, logitsRowCount: 64, prefillChunk: 16, prefillBudget: 16,
                sequenceCount: 4,
                pageCount: pages, pageTokenCount: 16))
    }

    private func sequence(
        _ number: Int, lane: Int = 0, tokens: Int, isCall: Bool = false, laneCount: Int = 1,
        priority: Int = 0
    ) -> ScheduledSequence {
        ScheduledSequence(
            number: number, selection: ObjectIdentifier(marks[lane]), tokenCount: tokens,
            firstLogitsToken: tokens - 1, laneCount: laneCount,
            callTokenCount: isCall ? tokens : nil, priority: priority)
    }

    @Test func aCallIsOneSlice() {
        var scheduler = scheduler()
        scheduler.add(sequence(0, tokens: 40, isCall: true))
        #expect(scheduler.nextStep().slices.map(\.tokens) == [0..<40])
        scheduler.appendToken(to: 0)
        #expect(scheduler.nextStep().slices.map(\.tokens) == [40..<41])
    }

    @Test func aCallWithoutRoomComesFirstInTheNextStep() {
        var scheduler = scheduler(rows: 20)
        for number in 0..<3 { scheduler.add(sequence(number, tokens: 2)) }
        _ = scheduler.nextStep()
        for number in 0..<3 { scheduler.appendToken(to: number) }
        scheduler.add(sequence(3, lane: 1, tokens: 20, isCall: true))
        // Those that decode take three rows: 17 are too few.
        #expect(scheduler.nextStep().slices.map(\.number) == [0, 1, 2])
        for number in 0..<3 { scheduler.appendToken(to: number) }
        let step = scheduler.nextStep()
        #expect(step.slices.map(\.number) == [3])
        #expect(step.slices.map(\.tokens) == [0..<20])
        scheduler.appendToken(to: 3)
        #expect(scheduler.nextStep().slices.count == 4)
    }

    @Test func aCallTakesMoreThanPromptsMayHaveBesideDecodingRows() {
        var scheduler = scheduler()
        scheduler.add(sequence(0, tokens: 2))
        _ = scheduler.nextStep()
        scheduler.appendToken(to: 0)
        scheduler.add(sequence(1, lane: 1, tokens: 40, isCall: true))
        scheduler.add(sequence(2, lane: 2, tokens: 4))
        #expect(scheduler.nextStep().slices.map(\.tokens) == [2..<3, 0..<40])
        scheduler.appendToken(to: 0)
        #expect(scheduler.nextStep().slices.map(\.number) == [0, 1, 2])
    }

    @Test func aPreemptedCallIsReplayedAsItWas() {
        var scheduler = scheduler(pages: 3)
        scheduler.add(sequence(0, tokens: 15, priority: 1))
        scheduler.add(sequence(1, lane: 1, tokens: 14, isCall: true))
        _ = scheduler.nextStep()
        var slices: [Range<Int>] = []
        // Both grow beyond their first page, and there is one more only.
        for _ in 0..<3 {
            for number in 0..<2 { scheduler.appendToken(to: number) }
            let step = scheduler.nextStep()
            slices = step.slices.filter { $0.number == 1 }.map(\.tokens)
            if !step.preempted.isEmpty { break }
        }
        #expect(slices.isEmpty)
        scheduler.remove(0)
        // The prompt together, then what was generated one by one.
        var replayed: [Range<Int>] = []
        for _ in 0..<4 { replayed += scheduler.nextStep().slices.map(\.tokens) }
        #expect(replayed == [0..<14, 14..<15, 15..<16, 16..<17])
    }

    @Test func aSequenceWithTwoLanesHasTwoPagesForThoseOfOne() {
        var scheduler = scheduler()
        scheduler.add(sequence(0, tokens: 17, laneCount: 2))
        #expect(scheduler.nextStep().slices.map(\.pageCount) == [4])
        scheduler.remove(0)
        #expect(scheduler.freePageCount == 64)
    }
}
