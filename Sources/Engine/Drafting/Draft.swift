internal import Foundation

/// What a sequence's text suggests as its next tokens, and how far such suggestions were right.
struct Draft {
    /// For the next step to verify, at the most.
    private(set) var tokens: [Int32] = []
    /// How many of them are worth a row.
    var tokenCount = 0
    private var matchCount = 0
    private var acceptance = DraftAcceptance()

    /// The chance that the first `count` tokens are all right.
    func chance(ofToken count: Int) -> Double {
        pow(acceptance.rate(matchCount: matchCount), Double(count))
    }

    mutating func propose(after text: [Int32], from first: Int, limit: Int) {
        tokens.removeAll(keepingCapacity: true)
        (tokenCount, matchCount) = (0, 0)
        guard limit > 0 else { return }
        let lookup = PromptLookup(text, from: first)
        matchCount = lookup.matchCount
        lookup.fill(&tokens, after: text, count: limit)
    }

    /// Learns from a step that verified so many tokens.
    mutating func note(draftedCount: Int, acceptedCount: Int) {
        acceptance.note(
            matchCount: matchCount, draftedCount: draftedCount, acceptedCount: acceptedCount)
    }
}

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
