internal import Glibc

/// Keeps tokens at least this probable, relative to the likeliest.
///
/// **Source**: arXiv 2407.01082.
struct MinP {
    let probability: Float

    /// Cuts candidates whose likeliest one has logit 0.
    func cut(_ candidates: inout [Candidate]) {
        guard probability > 0 else { return }
        candidates.removeAll { $0.logit < 0 && $0.mass < Double(probability) }
    }

    /// The tokens of a row that stay, by id.
    func select(from logits: UnsafeMutableBufferPointer<Float>) -> [Candidate] {
        // A little below the bound; the exact comparison follows.
        var candidates = Candidate.all(in: logits, from: logf(probability) - 0.01)
        cut(&candidates)
        return candidates
    }
}
