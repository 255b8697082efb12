/// A sequence as the scheduler sees it: counts, no tokens.
package struct ScheduledSequence: Equatable, Sendable {
    /// Tells the order of arrival: the larger, the younger.
    package let number: Int
    package let selection: SelectionID
    /// Whose turns it takes.
    package let lane: FairnessLane
    /// What acts on the first tokens in place of `selection`; nil where there are none.
    package let earlier: Earlier?
    /// Pages that it needs for the tokens of one.
    package let laneCount: Int
    /// So many tokens from the first on must be computed in one step, and each later one in
    /// another; nil: tokens are computed as suits.
    package let callTokenCount: Int?
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

    /// A selection that acts on so many tokens from the first on.
    package struct Earlier: Equatable, Sendable {
        package var selection: SelectionID
        package var tokenCount: Int

        package init(selection: SelectionID, tokenCount: Int) {
            self.selection = selection
            self.tokenCount = tokenCount
        }
    }

    /// - Parameters:
    ///   - lane: nil for one of the selection's own.
    ///   - firstLogitsToken: 0 to score the prompt, its last token to go on from it,
    ///     `tokenCount` for neither.
    package init(
        number: Int, selection: SelectionID, lane: FairnessLane? = nil, earlier: Earlier? = nil,
        tokenCount: Int,
        firstLogitsToken: Int, laneCount: Int = 1, callTokenCount: Int? = nil, priority: Int = 0,
        deadline: ContinuousClock.Instant? = nil
    ) {
        self.number = number
        self.selection = selection
        self.lane = lane ?? FairnessLane(client: 0, adapter: "\(selection)")
        self.earlier = earlier
        self.laneCount = laneCount
        self.callTokenCount = callTokenCount
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

    /// Rows that the next step must have of it, or none; nil: any number.
    var wholeRowCount: Int? {
        callTokenCount.map { $0 > cachedTokenCount ? $0 - cachedTokenCount : 1 }
    }
}

extension ScheduledSequence {
    /// A step's rows for these tokens.
    func slice(of tokens: Range<Int>, under selection: SelectionID) -> StepDecision.Slice {
        StepDecision.Slice(
            number: number, selection: selection, tokens: tokens,
            firstLogitsToken: min(max(firstLogitsToken, tokens.lowerBound), tokens.upperBound),
            pageCount: heldPageCount)
    }
}
