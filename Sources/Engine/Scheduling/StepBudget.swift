/// What is left of a step.
struct StepBudget {
    var rowCount: Int
    var logitsRowCount: Int

    /// Rows that a sequence can have of what is left.
    func rowCount(for sequence: ScheduledSequence, atMost chunk: Int) -> Int {
        let rowsBeforeLogits = max(0, sequence.firstLogitsToken - sequence.cachedTokenCount)
        let available = min(rowCount, rowsBeforeLogits + logitsRowCount)
        if let whole = sequence.wholeRowCount { return whole <= available ? whole : 0 }
        return min(available, chunk, sequence.pendingTokenCount)
    }
}
