/// How often what followed a match followed again, by the length of the match.
///
/// Running means that start from what texts of a small chat model showed; those of lengths that are
/// not tried return there slowly, so that they are tried again.
package struct DraftAcceptance {
    private static let initialRates = SIMD4<Double>(0.25, 0.5, 0.7, 0.8)
    /// Of 1, 2, 3 and more tokens.
    private var rates = initialRates

    package init() {}

    package func rate(matchCount: Int) -> Double {
        matchCount == 0 ? 0 : rates[Self.place(matchCount)]
    }

    package mutating func note(matchCount: Int, draftedCount: Int, acceptedCount: Int) {
        guard matchCount > 0 else { return }
        let place = Self.place(matchCount)
        for _ in 0..<acceptedCount { rates[place] += (1 - rates[place]) / 5 }
        if acceptedCount < draftedCount { rates[place] -= rates[place] / 5 }
        if draftedCount == 0 { rates[place] += (Self.initialRates[place] - rates[place]) / 50 }
    }

    private static func place(_ matchCount: Int) -> Int { min(matchCount, 4) - 1 }
}
