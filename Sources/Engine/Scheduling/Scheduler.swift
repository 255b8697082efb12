/// Decides what each step computes; pure: no clock, no memory, no model.
///
/// Sequences that decode come first, one row each; then prompts get chunks up to the step's budget
/// of rows, a small one where others decode: a step that reads all weights for a few rows anyway
/// takes some more along at little cost, and nobody waits long for the next token. Clients, and
/// with each its adapters, take turns of a chunk each within one priority, over several steps if
/// need be. A free place goes to the highest priority that waits, there to the client and the
/// adapter with the fewest running sequences; see `WaitingQueue` for what ages.
///
/// Pages are reserved for the whole prompt at admission and grow with the output; when none is
/// left, the youngest sequence of the lowest priority gives all of its own back, waits again and is
/// computed anew later, so that the oldest of the highest priority always gets through.
package struct Scheduler {
    package let limits: SchedulerLimits
    private var sequences: [Int: ScheduledSequence] = [:]
    private var waiting = WaitingQueue()
    /// Running sequences with more than their newest token to compute.
    private var prefilling = WaitingQueue()
    /// One of them that had no room for all the rows that it must have at once: the next step's
    /// first.
    private var delayed: Int?
    /// The one whose turn went on when the last step was full.
    private var turn: Turn?
    /// Running sequences with one token to compute, those that outrank others first.
    private var decoding: [Int] = []
    private var running = RunningCounts()
    /// No deadline is earlier; it may be that of a sequence that has left.
    private var earliestDeadline: ContinuousClock.Instant?
    private var decision = StepDecision()

    /// What a sequence may still compute of its prompt before another's turn comes.
    private struct Turn {
        var number: Int
        var rowCount: Int
    }

    package init(limits: SchedulerLimits) {
        self.limits = limits
    }

    package var runningCount: Int { prefilling.count + decoding.count }
    package var waitingCount: Int { waiting.count }

    /// Queues a sequence. Its tokens must fit the cache when it is alone.
    package mutating func add(_ sequence: ScheduledSequence) {
        sequences[sequence.number] = sequence
        if let deadline = sequence.deadline {
            earliestDeadline = min(earliestDeadline ?? deadline, deadline)
        }
        waiting.insert(
            sequence.number, lane: sequence.lane, priority: sequence.priority)
    }

    /// Forgets a sequence, whatever it was doing; its pages are the caller's to release.
    package mutating func remove(_ number: Int) {
        guard let sequence = sequences.removeValue(forKey: number) else { return }
        leaveQueues(sequence)
    }

    /// Notes that a decoding sequence has one more token.
    package mutating func appendToken(to number: Int) {
        sequences[number]?.tokenCount += 1
    }

    /// Notes that a sequence's drafts have been verified: what they made beyond its tokens is void.
    package mutating func dropDrafts(of number: Int) {
        guard var sequence = sequences[number] else { return }
        sequence.cachedTokenCount = min(sequence.cachedTokenCount, sequence.tokenCount - 1)
        sequence.firstLogitsToken = sequence.tokenCount - 1
        sequences[number] = sequence
    }

    /// Sequences whose deadline has come, by age.
    ///
    /// **Complexity**: O(1) until the earliest deadline, O(sequences) from then on.
    package mutating func expired(at now: ContinuousClock.Instant) -> [Int] {
        guard let earliestDeadline, earliestDeadline <= now else { return [] }
        self.earliestDeadline = sequences.values.lazy.compactMap(\.deadline).min()
        return sequences.values.filter { $0.deadline.map { $0 <= now } ?? false }.map(\.number)
            .sorted()
    }

    /// Decides the next step and counts on it being done.
    ///
    /// - Parameter pages: hands out and takes back what the step needs.
    package mutating func nextStep(_ pages: some PageLedger) -> StepDecision {
        decision.removeAll()
        var budget = StepBudget(rowCount: limits.rowCount, logitsRowCount: limits.logitsRowCount)
        scheduleDecoding(&budget, pages)
        if !decision.slices.isEmpty { budget.limitPrompts(to: limits.prefillBudget) }
        admit(pages)
        schedulePrefill(&budget, pages)
        decision.groupBySelection()
        return decision
    }

    /// Rows that are left in the step that was decided last.
    package var freeRowCount: Int {
        min(
            limits.rowCount - decision.rowCount,
            limits.logitsRowCount - decision.slices.reduce(0) { $0 + $1.logitsRowCount })
    }

    /// Adds guesses to the step that was decided last, behind the newest tokens of sequences, as
    /// far as rows and pages are left. Nothing gives way to them.
    ///
    /// - Parameter draftTokenCount: how many a sequence wants.
    package mutating func addDrafts(
        _ pages: some PageLedger, _ draftTokenCount: (Int) -> Int
    ) -> StepDecision {
        var rowCount = freeRowCount
        for place in decision.slices.indices where rowCount > 0 {
            let slice = decision.slices[place]
            guard var sequence = sequences[slice.number], sequence.callTokenCount == nil,
                slice.tokens.upperBound == sequence.tokenCount
            else { continue }
            var count = min(draftTokenCount(slice.number), rowCount)
            let wanted = limits.pageCount(for: sequence, moreTokens: count)
            if wanted - sequence.heldPageCount <= pages.availablePageCount {
                sequence.heldPageCount = max(sequence.heldPageCount, wanted)
                pages.grow(slice.number, to: sequence.heldPageCount)
            } else {
                let room = sequence.heldPageCount / sequence.laneCount * limits.pageTokenCount
                count = min(count, room - sequence.tokenCount)
            }
            guard count > 0 else { continue }
            decision.slices[place].draftTokenCount = count
            decision.slices[place].tokens =
                slice.tokens.lowerBound..<slice.tokens.upperBound + count
            decision.slices[place].pageCount = sequence.heldPageCount
            sequence.cachedTokenCount += count
            sequences[slice.number] = sequence
            rowCount -= count
        }
        return decision
    }

    private mutating func scheduleDecoding(_ budget: inout StepBudget, _ pages: some PageLedger) {
        var place = 0
        let reserved = delayed.flatMap { sequences[$0]?.wholeRowCount } ?? 0
        while place < decoding.count, budget.rowCount > reserved {
            let number = decoding[place]
            // Those that gave way stood behind, or it was this one.
            guard reservePages(number, pages) else { continue }
            addSlice(of: number, rowCount: 1, &budget)
            place += 1
        }
    }

    /// Makes room for the sequence's newest token, at the cost of those that it outranks.
    ///
    /// - Returns: false when the sequence itself had to give way.
    private mutating func reservePages(_ number: Int, _ pages: some PageLedger) -> Bool {
        guard let sequence = sequences[number] else { return false }
        let wanted = limits.pageCount(for: sequence)
        guard wanted > sequence.heldPageCount else { return true }
        while pages.availablePageCount < wanted - sequence.heldPageCount {
            guard let victim = lowestRunning else { return false }
            preempt(victim, pages)
            if victim.number == number { return false }
        }
        pages.grow(number, to: wanted)
        sequences[number]?.heldPageCount = wanted
        return true
    }

    /// The running sequence that all others outrank.
    private var lowestRunning: ScheduledSequence? {
        sequences.values.lazy.filter(\.isRunning).max { $0.outranks($1) }
    }

    private mutating func preempt(_ victim: ScheduledSequence, _ pages: some PageLedger) {
        var sequence = victim
        leaveQueues(sequence)
        pages.release(sequence.number)
        sequence.heldPageCount = 0
        sequence.cachedTokenCount = 0
        sequence.isRunning = false
        sequences[sequence.number] = sequence
        waiting.insert(
            sequence.number, lane: sequence.lane, priority: sequence.priority)
        decision.preempted.append(sequence.number)
    }

    /// Lets sequences in while there is room for all of their known tokens, and for every running
    /// one to grow by a page. The one whose turn it is is never passed over, however long.
    private mutating func admit(_ pages: some PageLedger) {
        while runningCount < limits.sequenceCount, decision.preempted.isEmpty,
            let number = waiting.next(running), var sequence = sequences[number]
        {
            let wanted = limits.pageCount(for: sequence)
            let shared = pages.adoptCached(number, tokenLimit: sequence.shareableTokenCount)
            let needed = wanted - shared / limits.pageTokenCount * sequence.laneCount
            guard needed + runningCount <= pages.availablePageCount || runningCount == 0 else {
                return pages.release(number)
            }
            _ = waiting.popNext(running)
            pages.grow(number, to: wanted)
            sequence.cachedTokenCount = shared
            sequence.heldPageCount = wanted
            sequence.isRunning = true
            sequences[number] = sequence
            running.add(sequence.lane)
            prefilling.insert(number, lane: sequence.lane, priority: sequence.priority)
            decision.admitted.append(number)
        }
    }

    private mutating func schedulePrefill(_ budget: inout StepBudget, _ pages: some PageLedger) {
        guard !prefilling.isEmpty else { return }
        var unfinished: [Int] = []
        var first = [popTurn(), popDelayed()].compactMap { $0 }
        while budget.promptRowCount > 0, let next = first.popLast() ?? nextTurn() {
            adoptCached(next.number, pages)
            if !prefill(next, &budget) { unfinished.append(next.number) }
        }
        unfinished += first.map(\.number)
        sortDecoding()
        for number in unfinished {
            guard let sequence = sequences[number] else { continue }
            prefilling.insert(number, lane: sequence.lane, priority: sequence.priority)
        }
    }

    private mutating func nextTurn() -> Turn? {
        prefilling.popNext(RunningCounts()).map(wholeTurn)
    }

    private func wholeTurn(of number: Int) -> Turn {
        Turn(number: number, rowCount: limits.prefillChunk)
    }

    /// The sequence for which those that decode left room.
    private mutating func popDelayed() -> Turn? {
        defer { delayed = nil }
        return delayed.flatMap { pop(wholeTurn(of: $0)) }
    }

    /// A turn that nobody else waits for begins anew; one that a higher priority waits for has
    /// ended.
    private mutating func popTurn() -> Turn? {
        defer { turn = nil }
        guard let turn, let sequence = sequences[turn.number],
            prefilling.highestPriority ?? sequence.priority <= sequence.priority
        else { return nil }
        return pop(turn).map { prefilling.isEmpty ? wholeTurn(of: $0.number) : $0 }
    }

    /// Takes a sequence out of the queue unless it has left.
    private mutating func pop(_ turn: Turn) -> Turn? {
        guard let sequence = sequences[turn.number], sequence.isRunning else { return nil }
        prefilling.remove(
            turn.number, lane: sequence.lane, priority: sequence.priority)
        return turn
    }

    /// Computes as much of a sequence as there is room for.
    ///
    /// - Returns: true when that was all of it.
    private mutating func prefill(_ next: Turn, _ budget: inout StepBudget) -> Bool {
        guard let sequence = sequences[next.number] else { return true }
        let rowCount = budget.rowCount(for: sequence, atMost: next.rowCount)
        if rowCount > 0 {
            addSlice(of: next.number, rowCount: rowCount, &budget)
        } else if sequence.wholeRowCount != nil {
            delayed = delayed ?? next.number
        }
        if rowCount == sequence.pendingTokenCount {
            decoding.append(next.number)
            return true
        }
        if rowCount < next.rowCount, budget.promptRowCount == 0, sequence.wholeRowCount == nil {
            turn = turn ?? Turn(number: next.number, rowCount: next.rowCount - rowCount)
        }
        return false
    }

    /// Skips what another sequence has computed since the last chunk.
    private mutating func adoptCached(_ number: Int, _ pages: some PageLedger) {
        guard let sequence = sequences[number] else { return }
        let shared = pages.adoptCached(number, tokenLimit: sequence.shareableTokenCount)
        sequences[number]?.cachedTokenCount = max(sequence.cachedTokenCount, shared)
    }

    private mutating func sortDecoding() {
        let sequences = sequences
        decoding.sort { left, right in
            guard let left = sequences[left], let right = sequences[right] else { return false }
            return left.outranks(right)
        }
    }

    private mutating func addSlice(of number: Int, rowCount: Int, _ budget: inout StepBudget) {
        guard var sequence = sequences[number] else { return }
        let tokens = sequence.cachedTokenCount..<sequence.cachedTokenCount + rowCount
        let whole = sequence.slice(of: tokens, under: sequence.selection)
        if let earlier = sequence.earlier, tokens.lowerBound < earlier.tokenCount {
            decision.append(whole, splitAt: earlier.tokenCount, earlier: earlier.selection)
        } else {
            decision.slices.append(whole)
        }
        budget.spend(rowCount, logitsRowCount: tokens.upperBound - whole.firstLogitsToken)
        sequence.cachedTokenCount = tokens.upperBound
        sequence.firstLogitsToken = max(sequence.firstLogitsToken, tokens.upperBound)
        sequences[number] = sequence
    }

    private mutating func leaveQueues(_ sequence: ScheduledSequence) {
        guard sequence.isRunning else {
            waiting.remove(
                sequence.number, lane: sequence.lane, priority: sequence.priority)
            return
        }
        prefilling.remove(
            sequence.number, lane: sequence.lane, priority: sequence.priority)
        decoding.removeAll { $0 == sequence.number }
        running.remove(sequence.lane)
    }
}
