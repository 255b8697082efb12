/// logit[t] −= penalty · (how often t occurs in the output).
struct FrequencyPenalty {
    let penalty: Float

    func apply(to logits: UnsafeMutableBufferPointer<Float>, history: TokenHistory) {
        guard penalty != 0 else { return }
        for (token, count) in history.outputCounts where logits.indices.contains(Int(token)) {
            logits[Int(token)] -= penalty * Float(count)
        }
    }
}
