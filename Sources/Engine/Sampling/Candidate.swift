internal import Kernels

/// A token and the value that it is ranked by: its logit, or its mass.
struct Candidate: Comparable {
    let token: Int32
    let value: Float

    /// Larger values come first; of equal ones the lower id.
    static func < (left: Candidate, right: Candidate) -> Bool {
        left.value != right.value ? left.value > right.value : left.token < right.token
    }

    /// All tokens whose value is `threshold` or more, by id.
    static func all(
        in row: UnsafeMutableBufferPointer<Float>, from threshold: Float = -.infinity
    ) -> [Candidate] {
        var candidates: [Candidate] = []
        forEach(in: row, from: threshold) { candidate, _ in candidates.append(candidate) }
        return candidates
    }

    /// Calls `body` with each token whose value is `threshold` or more, by id; `body` may raise the
    /// threshold for those that follow.
    static func forEach(
        in row: UnsafeMutableBufferPointer<Float>, from threshold: Float,
        _ body: (Candidate, inout Float) -> Void
    ) {
        guard let start = row.baseAddress else { return }
        var threshold = threshold
        var next = 0
        while let token = Vectors.firstIndex(
            atLeast: threshold, in: UnsafePointer(start), from: next, count: row.count)
        {
            body(Candidate(token: Int32(token), value: row[token]), &threshold)
            next = token + 1
        }
    }
}
