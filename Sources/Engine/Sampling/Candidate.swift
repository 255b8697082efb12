internal import Glibc
internal import Kernels

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
        forEach(in: logits, from: threshold) { candidate, _ in candidates.append(candidate) }
        return candidates
    }

    /// Calls `body` with each token whose logit is `threshold` or more, by id; `body` may raise the
    /// threshold for those that follow.
    static func forEach(
        in logits: UnsafeMutableBufferPointer<Float>, from threshold: Float,
        _ body: (Candidate, inout Float) -> Void
    ) {
        guard let start = logits.baseAddress else { return }
        var threshold = threshold
        var next = 0
        while let token = Vectors.firstIndex(
            atLeast: threshold, in: UnsafePointer(start), from: next, count: logits.count)
        {
            body(Candidate(token: Int32(token), logit: logits[token]), &threshold)
            next = token + 1
        }
    }
}
