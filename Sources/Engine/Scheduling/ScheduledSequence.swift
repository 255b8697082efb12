/// A sequence as the scheduler sees it: counts, no tokens.
package struct ScheduledSequence: Equatable, Sendable {
    /// Tells the order of arrival: the larger, the younger.
    package let number: Int
    package let selection: SelectionID
    /// Higher ones leave the queue first, and give their pages up last.
    package let priority: Int
    /// Known tokens, prompt and new ones.
    package var tokenCount: Int
    /// The first token whose logits have not been computed yet, and are wanted.
    package var firstLogitsToken: Int
    /// When it times out; nil for never.
    package let deadline: ContinuousClock.Instant?
    /// Tokens whose keys and values are in the cache.
    var cachedTokenCount = 0
    var heldPageCount = 0
    var isRunning = false

    /// - Parameter firstLogitsToken: 0 to score the prompt, its last token to go on from it,
    ///   `tokenCount` for neither.
    package init(
        number: Int, selection: SelectionID, tokenCount: Int, firstLogitsToken: Int,
        priority: Int = 0, deadline: ContinuousClock.Instant? = nil
    ) {
        self.number = number
        self.selection = selection
        self.priority = priority
        self.tokenCount = tokenCount
        self.firstLogitsToken = firstLogitsToken
        self.deadline = deadline
    }

    /// Whether it keeps its pages when this one or the other must give way.
    func outranks(_ other: ScheduledSequence) -> Bool {
        priority != other.priority ? priority > other.priority : number < other.number
    }

    /// Tokens whose keys and values may come from the cache: the newest must be computed, and so
    /// must those whose logits are wanted.
    var shareableTokenCount: Int { min(firstLogitsToken, tokenCount - 1) }

    /// Tokens that have yet to go through the model.
    var pendingTokenCount: Int { tokenCount - cachedTokenCount }
}
