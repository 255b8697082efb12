/// What the scheduler may hand out.
package struct SchedulerLimits: Equatable, Sendable {
    /// Rows of a step; at least `sequenceCount`.
    package var rowCount: Int
    /// Rows of a step that get logits; more than `sequenceCount`.
    package var logitsRowCount: Int
    /// Rows of one sequence in a step, and in its turn.
    package var prefillChunk: Int
    /// Rows of all prompts in a step in which others decode.
    package var prefillBudget: Int
    /// Sequences that run at the same time.
    package var sequenceCount: Int
    /// Pages of the cache.
    package var pageCount: Int
    /// Tokens of a page.
    package var pageTokenCount: Int

    package init(
        rowCount: Int, logitsRowCount: Int, prefillChunk: Int, prefillBudget: Int,
        sequenceCount: Int,
        pageCount: Int, pageTokenCount: Int
    ) {
        self.rowCount = rowCount
        self.logitsRowCount = logitsRowCount
        self.prefillChunk = prefillChunk
        self.prefillBudget = prefillBudget
        self.sequenceCount = sequenceCount
        self.pageCount = pageCount
        self.pageTokenCount = pageTokenCount
    }

    /// Pages that hold all known tokens of a sequence, and so many more.
    func pageCount(for sequence: ScheduledSequence, moreTokens count: Int = 0) -> Int {
        (sequence.tokenCount + count + pageTokenCount - 1) / pageTokenCount * sequence.laneCount
    }
}
