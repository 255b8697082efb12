public import Transformer

/// How a selection that begins to act within a sequence is computed up to there.
public struct PlanActivation: Sendable {
    /// The selection acts from their last occurrence in the prompt on.
    public let tokens: ActivationTokens
    /// What acts on all tokens before, and on the whole sequence where the prompt doesn't hold
    /// them.
    public let earlierPlan: AdapterPlan
    /// Identity of what `earlierPlan` computes, as `SelectionLease.key`.
    public let earlierKey: String

    public init(tokens: ActivationTokens, earlierPlan: AdapterPlan, earlierKey: String) {
        self.tokens = tokens
        self.earlierPlan = earlierPlan
        self.earlierKey = earlierKey
    }
}
