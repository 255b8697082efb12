import Engine
import Testing

@Suite struct SchedulerTests {
    private final class Mark {}
    private let marks = (0..<3).map { _ in Mark() }

    private func scheduler(
        rows: Int = 64, chunk: Int = 16, budget: Int = 64, sequences: Int = 4, pages: Int = 64,
        logits: Int = 64
    ) -> PagedScheduler {
        PagedScheduler(
            limits: SchedulerLimits(
                rowCount: rows, logitsRowCount: logits, prefillChunk: chunk,
                prefillBudget: budget, sequenceCount: sequences, pageCount: pages,
                pageTokenCount: 16))
    }

    private func sequence(
        _ number: Int, lane: Int = 0, client: UInt64? = nil, adapter: String = "",
        tokens: Int = 4, firstLogits: Int? = nil,
        priority: Int = 0, deadline: ContinuousClock.Instant? = nil
    ) -> ScheduledSequence {
        ScheduledSequence(
            number: number, selection: ObjectIdentifier(marks[lane]),
            lane: client.map { FairnessLane(client: $0, adapter: adapter) }, tokenCount: tokens,
            firstLogitsToken: firstLogits ?? tokens - 1, priority: priority,
            deadline: deadline)
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

    @Test func promptsGetAFewRowsOnlyWhereOthersDecode() {
        var scheduler = scheduler(rows: 64, chunk: 32, budget: 8)
        scheduler.add(sequence(0, tokens: 40))
        #expect(scheduler.nextStep().slices.map(\.tokens) == [0..<32])
        #expect(scheduler.nextStep().slices.map(\.tokens) == [32..<40])
        scheduler.add(sequence(1, lane: 1, tokens: 11))
        scheduler.add(sequence(2, lane: 2, tokens: 40))
        var steps: [[Range<Int>]] = []
        for _ in 0..<2 {
            scheduler.appendToken(to: 0)
            steps.append(scheduler.nextStep().slices.map(\.tokens))
        }
        #expect(steps == [[40..<41, 0..<8], [41..<42, 8..<11, 0..<5]])
        scheduler.remove(0)
        scheduler.remove(1)
        #expect(scheduler.nextStep().slices.map(\.tokens) == [5..<37])
    }

    /// Those who wait for their first token come one after the other, and not all late; a long
    /// prompt gives way after a chunk.
    @Test func aTurnGoesOnInTheNextStep() {
        var scheduler = scheduler(rows: 64, chunk: 16, budget: 8)
        scheduler.add(sequence(0))
        _ = scheduler.nextStep()
        scheduler.add(sequence(1, lane: 1, tokens: 100))
        scheduler.add(sequence(2, lane: 2, tokens: 16))
        scheduler.add(sequence(3, lane: 0, tokens: 16))
        let turns = (0..<8).map { _ in
            scheduler.appendToken(to: 0)
            return scheduler.nextStep().slices.filter { $0.number != 0 && $0.tokens.count == 8 }
        }
        #expect(turns.map { $0.map(\.number) } == [[1], [1], [2], [2], [3], [3], [1], [1]])
    }

    @Test func higherPrioritiesAreReadFirst() {
        var scheduler = scheduler(rows: 64, chunk: 16, budget: 8)
        scheduler.add(sequence(0))
        _ = scheduler.nextStep()
        scheduler.add(sequence(1, lane: 1, tokens: 100))
        var read: [Int] = []
        for step in 0..<4 {
            scheduler.appendToken(to: 0)
            read += scheduler.nextStep().slices.filter { $0.tokens.count == 8 }.map(\.number)
            // In the middle of the other's turn.
            if step == 0 { scheduler.add(sequence(2, lane: 2, tokens: 16, priority: 1)) }
        }
        #expect(read == [1, 2, 2, 1])
    }

    /// Prompts of a high priority that never end leave every eighth turn to the others.
    @Test func aLowPriorityIsReadInTheEnd() {
        var scheduler = scheduler(rows: 64, chunk: 8, budget: 8, sequences: 8, pages: 4096)
        scheduler.add(sequence(0))
        _ = scheduler.nextStep()
        scheduler.add(sequence(1, lane: 1, tokens: 8, priority: -1))
        for number in 2..<4 { scheduler.add(sequence(number, lane: number - 1, tokens: 4000)) }
        var steps = 0
        while steps < 20 {
            steps += 1
            scheduler.appendToken(to: 0)
            if scheduler.nextStep().slices.contains(where: { $0.number == 1 }) { break }
        }
        #expect((7...9).contains(steps))
    }

    @Test func aTurnEndsWithItsSequence() {
        var scheduler = scheduler(rows: 64, chunk: 16, budget: 8)
        scheduler.add(sequence(0))
        _ = scheduler.nextStep()
        scheduler.add(sequence(1, lane: 1, tokens: 100))
        scheduler.add(sequence(2, lane: 2, tokens: 100))
        scheduler.appendToken(to: 0)
        #expect(scheduler.nextStep().slices.map(\.number) == [0, 1])
        scheduler.remove(1)
        scheduler.appendToken(to: 0)
        #expect(scheduler.nextStep().slices.map(\.number) == [0, 2])
        #expect(scheduler.runningCount == 2)
    }

    @Test func aBurstOnOneSelectionDoesNotHoldUpAnother() {
        var scheduler = scheduler(sequences: 2)
        for number in 0..<10 { scheduler.add(sequence(number, lane: 0)) }
        scheduler.add(sequence(10, lane: 1))
        #expect(scheduler.nextStep().admitted == [0, 10])
    }

    /// Other weights make other selections, and no other lane.
    @Test func aBurstOfSelectionsOfOneAdapterDoesNotHoldUpAnother() {
        var scheduler = scheduler(sequences: 4)
        for number in 0..<10 {
            scheduler.add(sequence(number, lane: number % 2, client: 0, adapter: "a"))
        }
        scheduler.add(sequence(10, lane: 2, client: 0, adapter: "b"))
        scheduler.add(sequence(11, lane: 2, client: 0, adapter: "b"))
        #expect(scheduler.nextStep().admitted == [0, 10, 1, 11])
    }

    @Test func aClientWithManyAdaptersHasNoMorePlacesThanOneWithASingleOne() {
        var scheduler = scheduler(sequences: 6)
        for number in 0..<10 {
            scheduler.add(sequence(number, client: 1, adapter: "\(number)"))
        }
        for number in 10..<13 { scheduler.add(sequence(number, client: 2, adapter: "x")) }
        #expect(scheduler.nextStep().admitted == [0, 10, 1, 11, 2, 12])
        // The places of one that leaves go to whoever has the fewest.
        scheduler.add(sequence(13, client: 2, adapter: "x"))
        scheduler.remove(10)
        #expect(scheduler.nextStep().admitted == [13])
        scheduler.remove(0)
        #expect(scheduler.nextStep().admitted == [3])
    }

    @Test func clientsTakeTurnsInReadingTheirPrompts() {
        var scheduler = scheduler(rows: 64, chunk: 8, budget: 8, sequences: 8, pages: 512)
        scheduler.add(sequence(0, client: 3))
        _ = scheduler.nextStep()
        for number in 1...3 {
            scheduler.add(sequence(number, client: 1, adapter: "\(number)", tokens: 100))
        }
        scheduler.add(sequence(4, client: 2, adapter: "x", tokens: 100))
        let read = (0..<8).map { _ in
            scheduler.appendToken(to: 0)
            return scheduler.nextStep().slices.filter { $0.number != 0 }.map(\.number)
        }
        #expect(read == [[1], [4], [2], [4], [3], [4], [1], [4]])
    }

    /// Two that generate beside ten prompts of 8,000 tokens: a token each in every step, beside 64
    /// rows of prompts at most; each client's prompt begins when those before had a turn of a
    /// chunk, and all get through.
    @Test func thoseThatGenerateKeepTheirShareBesideLongPrompts() {
        let (chunk, budget, count, length) = (256, 64, 10, 8000)
        var scheduler = scheduler(
            rows: 512, chunk: chunk, budget: budget, sequences: 16, pages: 6000)
        for number in 0..<2 { scheduler.add(sequence(number, lane: 0)) }
        _ = scheduler.nextStep()
        for number in 2..<2 + count {
            scheduler.add(
                sequence(number, lane: 1, client: UInt64(number), adapter: "a", tokens: length))
        }
        var firstSteps: [Int: Int] = [:]
        var pending = [Int: Int]()
        var stepCount = 0
        while pending.count < count || pending.values.contains(where: { $0 < length }) {
            for number in 0..<2 { scheduler.appendToken(to: number) }
            let slices = scheduler.nextStep().slices
            #expect(slices.filter { $0.number < 2 }.map(\.tokens.count) == [1, 1])
            let prompts = slices.filter { $0.number >= 2 && $0.tokens.upperBound <= length }
            #expect(prompts.reduce(0) { $0 + $1.tokens.count } <= budget)
            for slice in prompts {
                firstSteps[slice.number] = firstSteps[slice.number] ?? stepCount
                pending[slice.number] = slice.tokens.upperBound
                // Their answers are of no concern here.
                if slice.tokens.upperBound == length { scheduler.remove(slice.number) }
            }
            stepCount += 1
            guard stepCount < 2 * count * length / budget else { break }
        }
        #expect(stepCount == count * length / budget)
        let turns = (0..<count).map { $0 * chunk / budget }
        #expect((2..<2 + count).map { firstSteps[$0] } == turns)
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
        scheduler.remove(1)
        #expect(scheduler.expired(at: start + .seconds(1)).isEmpty)
        scheduler.add(sequence(3, deadline: start + .seconds(3)))
        #expect(scheduler.expired(at: start + .seconds(2)) == [0])
        scheduler.remove(0)
        #expect(scheduler.expired(at: start + .seconds(2)).isEmpty)
        #expect(scheduler.expired(at: start + .seconds(3)) == [3])
    }

    /// Sixty-four places are taken by a burst of 200 on one selection; a request on another one
    /// that arrives then has the next place that gets free.
    @Test func theNextFreePlaceGoesToASelectionThatHasNone() {
        var scheduler = scheduler(rows: 512, sequences: 64, pages: 1024, logits: 128)
        for number in 0..<200 { scheduler.add(sequence(number, lane: 0)) }
        #expect(scheduler.nextStep().admitted == Array(0..<64))
        scheduler.add(sequence(200, lane: 1))
        #expect(scheduler.nextStep().admitted.isEmpty)
        scheduler.remove(7)
        #expect(scheduler.nextStep().admitted == [200])
        for number in 0..<7 { scheduler.remove(number) }
        scheduler.add(sequence(201, lane: 1))
        scheduler.add(sequence(202, lane: 2))
        #expect(scheduler.nextStep().admitted == [202, 201, 64, 65, 66, 67, 68])
    }

    @Test func longPromptsOfOneSelectionStarveNeitherDecodingNorOtherPrompts() {
        var scheduler = scheduler(rows: 32, chunk: 16, sequences: 16, pages: 4096)
        scheduler.add(sequence(0, lane: 2))
        _ = scheduler.nextStep()
        for number in 1..<9 { scheduler.add(sequence(number, lane: 0, tokens: 1000)) }
        scheduler.add(sequence(9, lane: 1, tokens: 40))
        for _ in 0..<3 {
            scheduler.appendToken(to: 0)
            let numbers = scheduler.nextStep().slices.map(\.number)
            #expect(numbers.contains(0))
            #expect(numbers.contains(9))
        }
    }

    @Test func higherPrioritiesLeaveTheQueueFirst() {
        var scheduler = scheduler(sequences: 1)
        scheduler.add(sequence(0, priority: -1))
        scheduler.add(sequence(1, priority: 0))
        scheduler.add(sequence(2, lane: 1, priority: 5))
        scheduler.add(sequence(3, priority: 5))
        var order: [Int] = []
        for _ in 0..<4 {
            order += scheduler.nextStep().admitted
            scheduler.remove(order.last ?? 0)
        }
        #expect(order == [2, 3, 1, 0])
    }

    @Test func aLowPriorityGetsEveryEighthPlace() {
        var scheduler = scheduler(sequences: 1)
        scheduler.add(sequence(0, priority: -100))
        var order: [Int] = []
        for number in 1..<20 {
            scheduler.add(sequence(number, lane: 1, priority: 100))
            order += scheduler.nextStep().admitted
            scheduler.remove(order.last ?? 0)
        }
        #expect(order.prefix(9) == [1, 2, 3, 4, 5, 6, 7, 0, 8])
    }

    @Test func theLowestPriorityGivesItsPagesUpBeforeTheYoungest() {
        var scheduler = scheduler(pages: 6)
        scheduler.add(sequence(0, tokens: 16, priority: -1))
        scheduler.add(sequence(1, tokens: 16))
        scheduler.add(sequence(2, tokens: 16))
        #expect(scheduler.nextStep().admitted == [1, 2, 0])
        for number in 0..<3 { scheduler.appendToken(to: number) }
        #expect(scheduler.nextStep().slices.map(\.number) == [1, 2, 0])
        for _ in 0..<15 {
            for number in 0..<3 { scheduler.appendToken(to: number) }
            #expect(scheduler.nextStep().preempted.isEmpty)
        }
        for number in 0..<3 { scheduler.appendToken(to: number) }
        let step = scheduler.nextStep()
        #expect(step.preempted == [0])
        #expect(step.slices.map(\.number) == [1, 2])
    }

    /// Any mix of arrivals, tokens and departures keeps to the pages there are.
    @Test(arguments: 0..<20) func randomTrafficNeverHandsOutTooMuch(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var scheduler = scheduler(rows: 24, budget: 9, sequences: 6, pages: 8)
        var live: Set<Int> = []
        for number in 0..<400 {
            if random.next() % 2 == 0 {
                live.insert(number)
                scheduler.add(
                    sequence(
                        number, lane: Int(random.next() % 3), tokens: 1 + Int(random.next() % 60),
                        priority: Int(random.next() % 3)))
            }
            let step = scheduler.nextStep()
            #expect(step.rowCount <= 24 && scheduler.runningCount <= 6)
            #expect(scheduler.freePageCount >= 0)
            for slice in step.slices where slice.firstLogitsToken < slice.tokens.upperBound {
                if random.next() % 4 == 0 {
                    live.remove(slice.number)
                    scheduler.remove(slice.number)
                } else if slice.tokens.upperBound < 128 {
                    scheduler.appendToken(to: slice.number)
                } else {
                    live.remove(slice.number)
                    scheduler.remove(slice.number)
                }
            }
        }
        for number in live { scheduler.remove(number) }
        #expect(scheduler.freePageCount == 8)
        #expect(scheduler.runningCount == 0 && scheduler.waitingCount == 0)
    }
}
