/// What the engine has done, and holds now.
public struct EngineStatistics: Sendable, Equatable {
    /// Sequences that steps compute now.
    public var runningCount = 0
    /// Accepted requests that no step computes now.
    public var waitingCount = 0
    /// Pages that running sequences hold.
    public var usedPageCount = 0
    public var totalPageCount = 0
    /// Pages that can be found again, those that running sequences hold among them.
    public var cachedPageCount = 0
    /// Pages that were given up for others and can't be found any more.
    public var evictedPageCount = 0
    /// Prompt tokens whose keys and values were found.
    public var cachedTokenCount = 0
    /// Prompt tokens that had to be computed; again after a preemption not counted.
    public var computedPromptTokenCount = 0
    public var stepCount = 0
    /// Rows of all steps together.
    public var rowCount = 0
    public var lastStepRowCount = 0
    public var maximumStepRowCount = 0
    /// The most adapter selections that had rows in the same step.
    public var maximumPlanCount = 0
    /// Sequences that gave their pages up for older ones and were computed again.
    public var preemptionCount = 0
    /// Requests that ended, by reason.
    public var finishedCounts: [FinishReason: Int] = [:]
    public var failedCount = 0
    /// Prompt tokens of all accepted requests.
    public var promptTokenCount = 0
    /// New tokens of all requests.
    public var generatedTokenCount = 0
    /// Guessed tokens that steps verified.
    public var draftedTokenCount = 0
    /// Those that turned out to be right.
    public var acceptedDraftTokenCount = 0

    public init() {}
}
