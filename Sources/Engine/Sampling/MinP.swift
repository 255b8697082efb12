/// Keeps tokens at least this probable, relative to the likeliest.
///
/// **Source**: arXiv 2407.01082.
struct MinP {
    let probability: Float

    /// Cuts candidates by their masses.
    func cut(_ candidates: inout [Candidate]) {
        candidates.removeAll { $0.value < probability }
    }

    /// The tokens of a row of masses that stay, by id.
    func select(from masses: UnsafeMutableBufferPointer<Float>) -> [Candidate] {
        Candidate.all(in: masses, from: probability)
    }
}
