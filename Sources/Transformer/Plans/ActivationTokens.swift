/// Tokens that switch an adapter on: it acts from the first token of their last occurrence in a
/// prompt to the end of the sequence, and nowhere in a sequence whose prompt doesn't hold them.
///
/// All tokens before are computed by the base, whose keys and values the adapter reads; with the
/// tables of the adapter's own vocabulary and the layers that it repeats, which are the model's.
///
/// **Source**: arXiv 2504.12397; PEFT 0.21 looks for the last occurrence likewise, and not in what
/// is generated.
public struct ActivationTokens: Sendable, Equatable {
    /// At least one.
    public let tokens: [Int32]

    public init(_ tokens: [Int32]) {
        precondition(!tokens.isEmpty, "an activation of no tokens")
        self.tokens = tokens
    }

    /// The place of the first token from which on the adapter acts; nil where it doesn't.
    ///
    /// **Complexity**: O(prompt · tokens), O(prompt) where few places begin alike.
    public func start(in prompt: [Int32]) -> Int? {
        guard prompt.count >= tokens.count else { return nil }
        var start = prompt.count - tokens.count
        while start >= 0 {
            if prompt[start] == tokens[0],
                prompt[start..<start + tokens.count].elementsEqual(tokens)
            {
                return start
            }
            start -= 1
        }
        return nil
    }
}

extension StepSlice {
    /// The rows under the plans that act on them.
    ///
    /// - Parameters:
    ///   - start: the sequence's first token on which `plan` acts; nil for none.
    ///   - base: acts on all tokens before.
    /// - Returns: one slice or two, in token order.
    public func split(at start: Int?, base: AdapterPlan) -> [StepSlice] {
        let rowCount = max(0, min(tokens.count, (start ?? .max) - cachedTokenCount))
        guard rowCount > 0 else { return [self] }
        var before = self
        before.plan = base
        guard rowCount < tokens.count else { return [before] }
        before.tokens = Array(tokens[..<rowCount])
        before.firstLogitsRow = min(firstLogitsRow, rowCount)
        var after = self
        after.tokens = Array(tokens[rowCount...])
        after.cachedTokenCount += rowCount
        after.firstLogitsRow = max(0, firstLogitsRow - rowCount)
        return [before, after]
    }
}
