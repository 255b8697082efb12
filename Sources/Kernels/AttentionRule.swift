/// What attention does with scores beside the causal mask.
///
/// In this order: the cap, then the slope, then what a row doesn't see, then the sink.
///
/// **Source**: windows: Longformer, arXiv 2004.05150, and Mistral 7B, arXiv 2310.06825; caps:
/// Gemma 2, arXiv 2408.00118; slopes: ALiBi, arXiv 2108.12409; sinks: arXiv 2309.17453, as a
/// learned logit in the gpt-oss model card, arXiv 2508.10925.
// Sendable: attention only reads what the pointers point to, and only while a call runs.
public struct AttentionRule: BitwiseCopyable, @unchecked Sendable {
    /// Tokens up to its own that a row sees, counted over prefix and own tokens together; 0: all.
    ///
    /// What a slice's `sharedVisibleCount` shows it behind its own token doesn't count.
    public var window: Int
    /// Scores, with the shape's scale in them, become softCap · tanh(score / softCap); 0: none.
    public var softCap: Float
    /// score += slope · index of the column's token, those of the prefix first; nil: none.
    ///
    /// **Shape**: [queryHeadCount].
    public var slopes: UnsafePointer<Float>?
    /// Scores that join the softmax without a value, so that a row's probabilities add up to less
    /// than 1; nil: none.
    ///
    /// **Shape**: [queryHeadCount].
    public var sinks: UnsafePointer<Float>?

    /// Nothing beside the causal mask.
    public static let full = AttentionRule()

    public init(
        window: Int = 0, softCap: Float = 0, slopes: UnsafePointer<Float>? = nil,
        sinks: UnsafePointer<Float>? = nil
    ) {
        precondition(window >= 0 && softCap >= 0)
        self.window = window
        self.softCap = softCap
        self.slopes = slopes
        self.sinks = sinks
    }
}
