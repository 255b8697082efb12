/// The engine's bounds. None of them changes a bit of an answer.
public struct EngineConfiguration: Sendable, Equatable {
    /// Rows of one step, all sequences together: at least `maximumSequenceCount`.
    public var maximumRowCount: Int
    /// Prompt tokens of one sequence in one step.
    public var prefillChunk: Int
    /// Prompt tokens of all sequences in one step in which others generate: what these wait for.
    public var prefillBudget: Int
    /// Tokens of one sequence that a step guesses and verifies behind its newest; 0 for none.
    public var draftTokenCount: Int
    /// Sequences that are computed at the same time.
    public var maximumSequenceCount: Int
    /// Requests that may wait beyond those.
    public var queueLimit: Int
    /// Alternatives of all prompt tokens together that a request may ask for.
    public var maximumPromptLogprobCount: Int
    /// Memory for keys and values, in bytes.
    public var keyValueByteCount: Int
    /// Tokens of a sequence, an adapter's prefix included; nil for the model's own limit.
    public var maximumContext: Int?
    /// Layers that have keys and values, where adapters repeat some; nil for the model's own.
    public var layerCount: Int?
    /// Whether keys and values of equal beginnings are found again.
    public var usesPrefixCache: Bool

    public init(
        maximumRowCount: Int = 512, prefillChunk: Int = 256, prefillBudget: Int = 64,
        draftTokenCount: Int = 8, maximumSequenceCount: Int = 64, queueLimit: Int = 1024,
        maximumPromptLogprobCount: Int = 250_000, keyValueByteCount: Int = 1 << 30,
        maximumContext: Int? = nil, layerCount: Int? = nil, usesPrefixCache: Bool = true
    ) {
        self.maximumRowCount = max(1, maximumRowCount, maximumSequenceCount)
        self.prefillChunk = max(1, prefillChunk)
        self.prefillBudget = max(1, prefillBudget)
        self.draftTokenCount = max(0, draftTokenCount)
        self.maximumSequenceCount = max(1, maximumSequenceCount)
        self.queueLimit = max(0, queueLimit)
        self.maximumPromptLogprobCount = max(0, maximumPromptLogprobCount)
        self.keyValueByteCount = max(0, keyValueByteCount)
        self.maximumContext = maximumContext
        self.layerCount = layerCount
        self.usesPrefixCache = usesPrefixCache
    }

    /// Rows of one step that get logits: one for every sequence, and some for prompts that are
    /// scored.
    package var maximumLogitsRowCount: Int { maximumSequenceCount + 64 }
}
