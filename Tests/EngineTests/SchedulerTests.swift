import Engine
import Testing

@Suite struct SchedulerTests {
    private final class Mark {}
    private let marks = (0..<3).map { _ in Mark() }

    private func scheduler(
        rows: Int = 64, chunk: Int = 16, sequences: Int = 4, pages: Int = 64, logits: Int = 64
    ) -> Scheduler {
        Scheduler(
            limits: SchedulerLimits(
                rowCount: rows, logitsRowCount: logits, prefillChunk: chunk,
                sequenceCount: sequences, pageCount: pages, pageTokenCount: 16))
    }

    private func sequence(
        _ number: Int, lane: Int = 0, tokens: Int = 4, firstLogits: Int? = nil,
        deadline: ContinuousClock.Instant? = nil
    ) -> ScheduledSequence {
        ScheduledSequence(
            number: number, selection: ObjectIdentifier(marks[lane]), tokenCount: tokens,
            firstLogitsToken: firstLogits ?? tokens - 1, deadline: deadline)
    }

    @Test func aPromptGoesInChunksAndGetsLogitsForItsLastTokenOnly() {
        var scheduler = scheduler()
        scheduler.add(sequence(0, tokens: 40))
        let slices = (0..<3).flatMap { _ in scheduler.nextStep().slices }
        #expect(slices.map(\.tokens) == [0..<16, 16..<32, 32..<40])
        #expect(slices.map(\.firstLogitsToken) == [16, 32, 39])
        #expect(slices.map(\.pageCount) == [3, 3, 3])
    }

    @Test func decodingRowsComeBeforePrompts() {
        var scheduler = scheduler(rows: 8, chunk: 8)
        scheduler.add(sequence(0))
        _ = scheduler.nextStep()
        scheduler.appendToken(to: 0)
        scheduler.add(sequence(1, lane: 1, tokens: 40))
        let step = scheduler.nextStep()
        #expect(step.slices.map(\.number) == [0, 1])
        #expect(step.slices.map(\.tokens) == [4..<5, 0..<7])
        #expect(step.rowCount == 8)
    }

    @Test func aBurstOnOneSelectionDoesNotHoldUpAnother() {
        var scheduler = scheduler(sequences: 2)
        for number in 0..<10 { scheduler.add(sequence(number, lane: 0)) }
        scheduler.add(sequence(10, lane: 1))
        #expect(scheduler.nextStep().admitted == [0, 10])
    }

    @Test func slicesOfOneSelectionStandTogether() {
        var scheduler = scheduler(sequences: 6)
        for number in 0..<6 { scheduler.add(sequence(number, lane: number % 3)) }
        let numbers = scheduler.nextStep().slices.map(\.number)
        #expect(numbers.map { $0 % 3 } == [0, 0, 1, 1, 2, 2])
    }

    @Test func theYoungestGivesWayAndComesBackWithAllItsTokens() {
        var scheduler = scheduler(pages: 3)
        scheduler.add(sequence(0, tokens: 16))
        scheduler.add(sequence(1, tokens: 15))
        #expect(scheduler.nextStep().admitted == [0, 1])
        scheduler.appendToken(to: 0)
        scheduler.appendToken(to: 1)
        #expect(scheduler.nextStep().preempted.isEmpty)
        scheduler.appendToken(to: 0)
        scheduler.appendToken(to: 1)
        let step = scheduler.nextStep()
        #expect(step.preempted == [1])
        #expect(step.slices.map(\.number) == [0])
        #expect(scheduler.waitingCount == 1)
        scheduler.remove(0)
        let again = scheduler.nextStep()
        #expect(again.admitted == [1])
        #expect(again.slices.map(\.tokens) == [0..<16])
        let last = scheduler.nextStep().slices
        #expect(last.map(\.tokens) == [16..<17])
        #expect(last.map(\.firstLogitsToken) == [16])
    }

    @Test func scoredPromptsKeepToTheBudgetOfLogits() {
        var scheduler = scheduler(logits: 10)
        scheduler.add(sequence(0, tokens: 24, firstLogits: 0))
        let ranges = (0..<3).flatMap { _ in scheduler.nextStep().slices.map(\.tokens) }
        #expect(ranges == [0..<10, 10..<20, 20..<24])
    }

    @Test func removalInEveryStateGivesPagesBack() {
        var scheduler = scheduler(sequences: 2)
        for number in 0..<3 { scheduler.add(sequence(number, tokens: 20)) }
        scheduler.remove(2)
        _ = scheduler.nextStep()
        scheduler.remove(0)
        _ = scheduler.nextStep()
        scheduler.remove(1)
        scheduler.remove(1)
        #expect(scheduler.freePageCount == 64)
        #expect(scheduler.runningCount == 0 && scheduler.waitingCount == 0)
        #expect(scheduler.nextStep().slices.isEmpty)
    }

    @Test func deadlinesAreKeptByTheClockThatIsGiven() {
        var scheduler = scheduler()
        let start = ContinuousClock.now
        scheduler.add(sequence(0, deadline: start + .seconds(2)))
        scheduler.add(sequence(1, deadline: start + .seconds(1)))
        scheduler.add(sequence(2))
        #expect(scheduler.expired(at: start).isEmpty)
        #expect(scheduler.expired(at: start + .seconds(1)) == [1])
        #expect(scheduler.expired(at: start + .seconds(9)) == [0, 1])
    }
}
