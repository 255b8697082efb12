/// Makes tokens of prompt and output less likely: divides positive logits and multiplies others.
///
/// **Source**: CTRL, arXiv 1909.05858, section 4.1; the treatment of negative logits as in Hugging
/// Face's and vLLM's samplers.
struct RepetitionPenalty {
    let penalty: Float

    func apply(to logits: UnsafeMutableBufferPointer<Float>, history: TokenHistory) {
        guard penalty != 1 else { return }
        for token in history.distinct where logits.indices.contains(Int(token)) {
            let logit = logits[Int(token)]
            logits[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
        }
    }
}
