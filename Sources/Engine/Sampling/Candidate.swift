internal import Glibc

/// A token that may be drawn.
struct Candidate: Comparable {
    let token: Int32
    /// After temperature; the largest of a row is 0.
    let logit: Float

    /// Proportional to the token's probability; 1 for the likeliest.
    var mass: Double { Double(expf(logit)) }

    /// Likelier tokens come first; of equally likely ones the lower id.
    static func < (left: Candidate, right: Candidate) -> Bool {
        left.logit != right.logit ? left.logit > right.logit : left.token < right.token
    }

    /// All tokens whose logit is `threshold` or more, by id.
    static func all(
        in logits: UnsafeMutableBufferPointer<Float>, from threshold: Float = -.infinity
    ) -> [Candidate] {
        var candidates: [Candidate] = []
        for (token, logit) in logits.enumerated() where logit >= threshold {
            candidates.append(Candidate(token: Int32(token), logit: logit))
        }
        return candidates
    }
}
