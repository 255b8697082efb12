import Engine
import Testing

/// Rows of guesses take what is left of a step, and nothing from anyone.
@Suite struct SchedulerDraftTests {
    private final class Mark {}
    private let mark = Mark()

    private func scheduler(
        rows: Int = 64, logits: Int = 64, pages: Int = 64, sequences: Int = 4
    ) -> PagedScheduler {
        PagedScheduler(
            limits: SchedulerLimits(
                rowCount: rows, logitsRowCount: logits, prefillChunk: 16, prefillBudget: 16,
                sequenceCount: sequences, pageCount: pages, pageTokenCount: 16))
    }

    private func sequence(
        _ number: Int, tokens: Int, lanes: Int = 1, call: Int? = nil
    ) -> ScheduledSequence {
        ScheduledSequence(
            number: number, selection: ObjectIdentifier(mark), tokenCount: tokens,
            firstLogitsToken: tokens - 1, laneCount: lanes, callTokenCount: call)
    }

    @Test func guessesStandBehindTheNewestToken() {
        var scheduler = scheduler()
        scheduler.add(sequence(0, tokens: 20))
        _ = scheduler.nextStep()
        // More of the prompt is to come: nothing stands behind it.
        #expect(scheduler.addDrafts { _ in 3 }.slices.map(\.draftTokenCount) == [0])
        _ = scheduler.nextStep()
        let last = scheduler.addDrafts { _ in 3 }.slices
        #expect(last.map(\.tokens) == [16..<23])
        #expect(last.map(\.firstLogitsToken) == [19])
        #expect(last.map(\.draftTokenCount) == [3])
        // Two of the three were right.
        for _ in 0..<3 { scheduler.appendToken(to: 0) }
        scheduler.dropDrafts(of: 0)
        let next = scheduler.nextStep().slices
        #expect(next.map(\.tokens) == [22..<23])
        #expect(next.map(\.firstLogitsToken) == [22])
        #expect(next.map(\.draftTokenCount) == [0])
    }

    @Test func onlyRowsThatAreLeftAreTaken() {
        for (rows, logits) in [(10, 64), (64, 10)] {
            var scheduler = scheduler(rows: rows, logits: logits)
            for number in 0..<3 { scheduler.add(sequence(number, tokens: 2)) }
            _ = scheduler.nextStep()
            for number in 0..<3 { scheduler.appendToken(to: number) }
            _ = scheduler.nextStep()
            let slices = scheduler.addDrafts { [4, 6, 5][$0] }.slices
            #expect(slices.map(\.draftTokenCount) == [4, 3, 0])
            #expect(slices.map(\.tokens) == [2..<7, 2..<6, 2..<3])
        }
    }

    @Test func nobodyGivesPagesUpForGuesses() {
        var scheduler = scheduler(pages: 4)
        scheduler.add(sequence(0, tokens: 15))
        scheduler.add(sequence(1, tokens: 15))
        #expect(scheduler.nextStep().slices.map(\.tokens) == [0..<15, 0..<15])
        scheduler.appendToken(to: 0)
        scheduler.appendToken(to: 1)
        #expect(scheduler.nextStep().slices.map(\.tokens) == [15..<16, 15..<16])
        #expect(scheduler.freePageCount == 2)
        let slices = scheduler.addDrafts { _ in 20 }.slices
        // 36 tokens are three pages: the first gets the two that are free, the second none.
        #expect(slices.map(\.draftTokenCount) == [20, 0])
        #expect(slices.map(\.pageCount) == [3, 1])
        #expect(scheduler.freePageCount == 0)
        scheduler.appendToken(to: 0)
        scheduler.dropDrafts(of: 0)
        scheduler.remove(0)
        #expect(scheduler.freePageCount == 3)
    }

    @Test func guessesFillThePageWhereNoneIsFree() {
        var scheduler = scheduler(pages: 2, sequences: 1)
        scheduler.add(sequence(0, tokens: 10, lanes: 2))
        _ = scheduler.nextStep()
        #expect(scheduler.freePageCount == 0)
        let slices = scheduler.addDrafts { _ in 20 }.slices
        #expect(slices.map(\.tokens) == [0..<16])
        #expect(slices.map(\.pageCount) == [2])
    }

    @Test func wholeCallsGetNone() {
        var scheduler = scheduler()
        scheduler.add(sequence(0, tokens: 5, call: 5))
        _ = scheduler.nextStep()
        #expect(scheduler.addDrafts { _ in 3 }.slices.map(\.tokens) == [0..<5])
    }

    @Test func aSequenceThatGaveItsPagesUpIsComputedAnew() {
        var scheduler = scheduler(pages: 3, sequences: 2)
        scheduler.add(sequence(0, tokens: 16))
        scheduler.add(sequence(1, tokens: 16))
        _ = scheduler.nextStep()
        let slices = scheduler.addDrafts { $0 == 1 ? 4 : 0 }.slices
        #expect(slices.last?.tokens == 0..<20)
        for number in [0, 1, 1, 1] { scheduler.appendToken(to: number) }
        scheduler.dropDrafts(of: 1)
        let step = scheduler.nextStep()
        #expect(step.preempted == [1])
        #expect(step.slices.map(\.tokens) == [16..<17])
        scheduler.remove(0)
        #expect(scheduler.nextStep().slices.map(\.tokens) == [0..<16])
        let last = scheduler.nextStep().slices
        #expect(last.map(\.tokens) == [16..<19])
        #expect(last.map(\.firstLogitsToken) == [18])
    }
}
