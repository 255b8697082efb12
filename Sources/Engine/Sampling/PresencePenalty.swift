/// logit[t] −= penalty where t occurs in the output.
struct PresencePenalty {
    let penalty: Float

    func apply(to logits: UnsafeMutableBufferPointer<Float>, history: TokenHistory) {
        guard penalty != 0 else { return }
        for token in history.outputCounts.keys where logits.indices.contains(Int(token)) {
            logits[Int(token)] -= penalty
        }
    }
}
