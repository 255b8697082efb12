/// Decides what each step computes; pure: no clock, no memory, no model.
///
/// Sequences that decode come first, one row each; then prompts get chunks up to the step's budget
/// of rows, selections taking turns. Pages are reserved for the whole prompt at admission and grow
/// with the output; when none is left, the youngest sequence gives all of its own back, waits again
/// and is computed anew later, so that the oldest always gets through.
package struct Scheduler {
    package let limits: SchedulerLimits
    private var sequences: [Int: ScheduledSequence] = [:]
    private var waiting = FairQueue()
    /// Running sequences with more than their newest token to compute.
    private var prefilling = FairQueue()
    /// Running sequences with one token to compute, by age.
    private var decoding: [Int] = []
    private var usedPageCount = 0

    package init(limits: SchedulerLimits) {
        self.limits = limits
    }

    package var runningCount: Int { prefilling.count + decoding.count }
    package var waitingCount: Int { waiting.count }
    package var freePageCount: Int { limits.pageCount - usedPageCount }

    /// Queues a sequence. Its tokens must fit the cache when it is alone.
    package mutating func add(_ sequence: ScheduledSequence) {
        sequences[sequence.number] = sequence
        waiting.insert(sequence.number, lane: sequence.selection)
    }

    /// Forgets a sequence, whatever it was doing; its pages count as free.
    package mutating func remove(_ number: Int) {
        guard let sequence = sequences.removeValue(forKey: number) else { return }
        leaveQueues(sequence)
        usedPageCount -= sequence.heldPageCount
    }

    /// Notes that a decoding sequence has one more token.
    package mutating func appendToken(to number: Int) {
        sequences[number]?.tokenCount += 1
    }

    /// Sequences whose deadline has come, by age.
    package func expired(at now: ContinuousClock.Instant) -> [Int] {
        sequences.values.filter { $0.deadline.map { $0 <= now } ?? false }.map(\.number).sorted()
    }

    /// Decides the next step and counts on it being done.
    package mutating func nextStep() -> StepDecision {
        var decision = StepDecision()
        var budget = StepBudget(rowCount: limits.rowCount, logitsRowCount: limits.logitsRowCount)
        scheduleDecoding(&decision, &budget)
        admit(&decision)
        schedulePrefill(&decision, &budget)
        decision.slices = groupedBySelection(decision.slices)
        return decision
    }

    private mutating func scheduleDecoding(
        _ decision: inout StepDecision, _ budget: inout StepBudget
    ) {
        for number in decoding where sequences[number]?.isRunning == true {
            guard budget.rowCount > 0, reservePages(number, &decision) else { continue }
            addSlice(of: number, rowCount: 1, &decision, &budget)
        }
    }

    /// Makes room for the sequence's newest token, at the cost of younger ones.
    ///
    /// - Returns: false when the sequence itself had to give way.
    private mutating func reservePages(_ number: Int, _ decision: inout StepDecision) -> Bool {
        guard var sequence = sequences[number] else { return false }
        let needed = limits.pageCount(forTokens: sequence.tokenCount) - sequence.heldPageCount
        guard needed > 0 else { return true }
        while freePageCount < needed {
            let youngest = youngestRunning
            preempt(youngest)
            decision.preempted.append(youngest)
            if youngest == number { return false }
        }
        sequence.heldPageCount += needed
        sequences[number] = sequence
        usedPageCount += needed
        return true
    }

    private var youngestRunning: Int {
        sequences.values.reduce(-1) { $1.isRunning ? max($0, $1.number) : $0 }
    }

    private mutating func preempt(_ number: Int) {
        guard var sequence = sequences[number] else { return }
        leaveQueues(sequence)
        usedPageCount -= sequence.heldPageCount
        sequence.heldPageCount = 0
        sequence.cachedTokenCount = 0
        sequence.isRunning = false
        sequences[number] = sequence
        waiting.insert(number, lane: sequence.selection)
    }

    /// Lets sequences in while there is room for all of their known tokens, and for every running
    /// one to grow by a page. The one whose turn it is is never passed over, however long.
    private mutating func admit(_ decision: inout StepDecision) {
        while runningCount < limits.sequenceCount, decision.preempted.isEmpty,
            let number = waiting.next, var sequence = sequences[number]
        {
            let needed = limits.pageCount(forTokens: sequence.tokenCount)
            guard needed + runningCount <= freePageCount || runningCount == 0 else { return }
            _ = waiting.popNext()
            sequence.heldPageCount = needed
            sequence.isRunning = true
            usedPageCount += needed
            sequences[number] = sequence
            prefilling.insert(number, lane: sequence.selection)
            decision.admitted.append(number)
        }
    }

    private mutating func schedulePrefill(
        _ decision: inout StepDecision, _ budget: inout StepBudget
    ) {
        var unfinished: [Int] = []
        while budget.rowCount > 0, let number = prefilling.popNext(),
            let sequence = sequences[number]
        {
            let rowCount = budget.rowCount(for: sequence, atMost: limits.prefillChunk)
            if rowCount > 0 { addSlice(of: number, rowCount: rowCount, &decision, &budget) }
            if rowCount == sequence.pendingTokenCount {
                decoding.append(number)
            } else {
                unfinished.append(number)
            }
        }
        decoding.sort()
        for number in unfinished {
            guard let sequence = sequences[number] else { continue }
            prefilling.insert(number, lane: sequence.selection)
        }
    }

    private mutating func addSlice(
        of number: Int, rowCount: Int, _ decision: inout StepDecision, _ budget: inout StepBudget
    ) {
        guard var sequence = sequences[number] else { return }
        let tokens = sequence.cachedTokenCount..<sequence.cachedTokenCount + rowCount
        let firstLogitsToken = min(
            max(sequence.firstLogitsToken, tokens.lowerBound), tokens.upperBound)
        decision.slices.append(
            StepDecision.Slice(
                number: number, tokens: tokens, firstLogitsToken: firstLogitsToken,
                pageCount: sequence.heldPageCount))
        budget.rowCount -= rowCount
        budget.logitsRowCount -= tokens.upperBound - firstLogitsToken
        sequence.cachedTokenCount = tokens.upperBound
        sequence.firstLogitsToken = max(sequence.firstLogitsToken, tokens.upperBound)
        sequences[number] = sequence
    }

    private mutating func leaveQueues(_ sequence: ScheduledSequence) {
        waiting.remove(sequence.number, lane: sequence.selection)
        prefilling.remove(sequence.number, lane: sequence.selection)
        decoding.removeAll { $0 == sequence.number }
    }

    /// Selections in the order in which they first appear.
    private func groupedBySelection(_ slices: [StepDecision.Slice]) -> [StepDecision.Slice] {
        var places: [SelectionID: Int] = [:]
        var groups: [[StepDecision.Slice]] = []
        for slice in slices {
            guard let selection = sequences[slice.number]?.selection else { continue }
            if let place = places[selection] {
                groups[place].append(slice)
            } else {
                places[selection] = groups.count
                groups.append([slice])
            }
        }
        return groups.flatMap(\.self)
    }
}
