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
