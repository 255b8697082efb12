/// The rows of one sequence in a step: a prefill chunk, or one token that is being decoded.
public struct StepSlice: Sendable {
    /// What acts on these rows. Slices with the same instance must be neighbours in a step, so that
    /// each adapter product runs once over all its rows.
    public var plan: AdapterPlan
    /// Token ids, each in 0 ..< vocabularyCount; one row each.
    public var tokens: [Int32]
    /// The sequence's own tokens whose keys and values are cached already; the first row's place.
    public var cachedTokenCount: Int
    /// Pages of the sequence in token order; must reach to the last row's token.
    public var pages: [Int32]
    /// As many pages for the keys and values of the plan's companion; empty where it has none.
    public var companionPages: [Int32]
    /// Rows from this one on get logits; `tokens.count` for none.
    public var firstLogitsRow: Int

    public init(
        plan: AdapterPlan, tokens: [Int32], cachedTokenCount: Int, pages: [Int32],
        companionPages: [Int32] = [], firstLogitsRow: Int
    ) {
        self.plan = plan
        self.tokens = tokens
        self.cachedTokenCount = cachedTokenCount
        self.pages = pages
        self.companionPages = companionPages
        self.firstLogitsRow = firstLogitsRow
    }

    /// Rows that get logits.
    public var logitsRowCount: Int { tokens.count - firstLogitsRow }
}
