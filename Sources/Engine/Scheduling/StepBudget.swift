/// What is left of a step.
struct StepBudget {
    private(set) var rowCount: Int
    private(set) var logitsRowCount: Int
    /// What prompts may have of `rowCount`.
    private(set) var promptRowCount: Int

    init(rowCount: Int, logitsRowCount: Int) {
        self.rowCount = rowCount
        self.logitsRowCount = logitsRowCount
        promptRowCount = rowCount
    }

    mutating func limitPrompts(to limit: Int) { promptRowCount = min(promptRowCount, limit) }

    mutating func spend(_ rows: Int, logitsRowCount logitsRows: Int) {
        rowCount -= rows
        logitsRowCount -= logitsRows
        promptRowCount = min(rowCount, max(0, promptRowCount - rows))
    }

    /// Rows that a sequence can have of what is left. What must be computed together may go beyond
    /// the limit of prompts.
    func rowCount(for sequence: ScheduledSequence, atMost turn: Int) -> Int {
        let rowsBeforeLogits = max(0, sequence.firstLogitsToken - sequence.cachedTokenCount)
        let available = min(rowCount, rowsBeforeLogits + logitsRowCount)
        if let whole = sequence.wholeRowCount { return whole <= available ? whole : 0 }
        return min(available, promptRowCount, turn, sequence.pendingTokenCount)
    }
}
