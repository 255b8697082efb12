/// Keeps the nucleus: the likeliest tokens up to and including the one that reaches a share of the
/// mass.
///
/// **Source**: arXiv 1904.09751, section 3.1.
struct TopP {
    let probability: Float

    /// Cuts candidates that stand likeliest first; their own mass is the whole.
    func cut(_ candidates: inout [Candidate]) {
        let total = candidates.reduce(0) { $0 + Double($1.value) }
        let count = Self.count(of: candidates, reaching: Double(probability) * total)
        candidates.removeSubrange(count...)
    }

    /// The nucleus of a row of masses, 1 the largest, in an order that follows from them.
    ///
    /// Nothing is sorted but the tokens of one bucket, in which the share is reached. Tokens of
    /// less than an even part of what the nucleus may leave out can't belong to it.
    func select(
        from masses: UnsafeMutableBufferPointer<Float>, totalMass: Double
    ) -> [Candidate] {
        let wanted = Double(probability) * totalMass
        let least = Float((totalMass - wanted) / Double(masses.count)) * 0.99
        let candidates = Candidate.all(in: masses, from: least)
        var sums = [Double](repeating: 0, count: Self.bucketCount)
        for candidate in candidates { sums[Self.bucket(candidate)] += Double(candidate.value) }
        var mass = 0.0
        var edge = Self.bucketCount - 1
        while edge > 0, mass + sums[edge] < wanted {
            mass += sums[edge]
            edge -= 1
        }
        var nucleus = candidates.filter { Self.bucket($0) > edge }
        let rest = candidates.filter { Self.bucket($0) == edge }.sorted()
        nucleus += rest.prefix(Self.count(of: rest, reaching: wanted - mass))
        return nucleus
    }

    /// How many candidates it takes to reach a mass; all where they don't.
    private static func count(of candidates: [Candidate], reaching wanted: Double) -> Int {
        var mass = 0.0
        for (place, candidate) in candidates.enumerated() {
            mass += Double(candidate.value)
            if mass >= wanted { return place + 1 }
        }
        return candidates.count
    }

    /// Masses of one bucket differ by an eighth at most: it is exponent and three bits of the
    /// fraction.
    private static func bucket(_ candidate: Candidate) -> Int {
        min(Int(candidate.value.bitPattern >> 20), bucketCount - 1)
    }

    /// Up to that of 1, the largest mass.
    private static let bucketCount = Int(Float(1).bitPattern >> 20) + 1
}
