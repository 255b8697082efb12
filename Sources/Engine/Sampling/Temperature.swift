/// logit = (logit − maximum) / temperature.
///
/// The shift changes no probability, and keeps the quotient finite or −∞ at any temperature.
struct Temperature {
    let temperature: Float

    func apply(to logits: UnsafeMutableBufferPointer<Float>, maximum: Float) {
        for token in logits.indices { logits[token] = (logits[token] - maximum) / temperature }
    }
}
