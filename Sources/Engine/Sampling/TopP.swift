internal import Glibc
internal import Kernels

/// Keeps the nucleus: the likeliest tokens up to and including the one that reaches a mass.
///
/// **Source**: arXiv 1904.09751, section 3.1.
struct TopP {
    let probability: Float

    /// Cuts candidates that stand likeliest first; their own mass is the whole.
    func cut(_ candidates: inout [Candidate]) {
        cut(&candidates, totalMass: candidates.reduce(0) { $0 + $1.mass })
    }

    /// The nucleus of a row after temperature, likeliest first.
    ///
    /// Only tokens above a threshold are sorted. It sinks until they hold the mass, so that the
    /// nucleus lies among them.
    func select(from logits: UnsafeMutableBufferPointer<Float>) -> [Candidate] {
        guard let start = logits.baseAddress else { return [] }
        let totalMass = exp(Double(Vectors.logSumExp(UnsafePointer(start), count: logits.count)))
        for threshold: Float in [-4, -8, -16, -.infinity] {
            var candidates = Candidate.all(in: logits, from: threshold)
            let mass = candidates.reduce(0) { $0 + $1.mass }
            guard mass >= Double(probability) * totalMass || threshold == -.infinity else {
                continue
            }
            candidates.sort()
            cut(&candidates, totalMass: totalMass)
            return candidates
        }
        return []
    }

    private func cut(_ candidates: inout [Candidate], totalMass: Double) {
        let wanted = Double(probability) * totalMass
        var mass = 0.0
        for (place, candidate) in candidates.enumerated() {
            mass += candidate.mass
            if mass >= wanted {
                candidates.removeSubrange((place + 1)...)
                return
            }
        }
    }
}
