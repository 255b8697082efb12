/// logit[t] += bias[t]
struct LogitBias {
    let biases: [Int: Float]

    func apply(to logits: UnsafeMutableBufferPointer<Float>) {
        for (token, bias) in biases where logits.indices.contains(token) { logits[token] += bias }
    }
}
