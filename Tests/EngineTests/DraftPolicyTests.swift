import Engine
import Testing

@Suite struct DraftPolicyTests {
    private func guesses(_ tokens: [Int32], from first: Int = 0, count: Int) -> [Int32] {
        var draft: [Int32] = [77]
        PromptLookup(tokens, from: first).fill(&draft, after: tokens, count: count)
        return draft
    }

    @Test func theLongestMatchCountsAndOfEqualOnesTheLatest() {
        #expect(guesses([1, 2, 3, 9, 2, 3, 4, 5, 1, 2, 3], count: 2) == [9, 2])
        #expect(guesses([7, 3, 1, 8, 3, 2, 3], count: 1) == [2])
        #expect(PromptLookup([1, 2, 3, 9, 2, 3, 4, 5, 1, 2, 3]).matchCount == 3)
        #expect(PromptLookup([7, 3, 1, 8, 3, 2, 3]).matchCount == 1)
        let repeated = Array(repeating: [1, 2, 3, 4, 5] as [Int32], count: 9).flatMap { $0 }
        #expect(PromptLookup(repeated).matchCount == PromptLookup.longestMatch)
    }

    @Test func aCopyGoesOnIntoItself() {
        #expect(guesses([6, 4, 4], count: 4) == [4, 4, 4, 4])
        #expect(guesses([1, 2, 1, 2], count: 5) == [1, 2, 1, 2, 1])
    }

    @Test func newTokensAndHiddenOnesSuggestNothing() {
        #expect(guesses([1, 2, 3], count: 4).isEmpty)
        #expect(guesses([5], count: 4).isEmpty)
        #expect(guesses([], count: 4).isEmpty)
        #expect(guesses([1, 2, 1], from: 1, count: 4).isEmpty)
        #expect(guesses([9, 1, 2, 9, 1], from: 1, count: 1) == [2])
        #expect(PromptLookup([9, 1, 2, 9, 1], from: 1).matchCount == 1)
        #expect(guesses([1, 2, 1], count: 0).isEmpty)
    }

    @Test func acceptanceFollowsWhatWasRight() {
        var acceptance = DraftAcceptance()
        let initial = (0...6).map { acceptance.rate(matchCount: $0) }
        #expect(initial[0] == 0)
        #expect(initial[4] == initial[6])
        #expect(initial == initial.sorted())
        acceptance.note(matchCount: 0, draftedCount: 3, acceptedCount: 0)
        for _ in 0..<20 { acceptance.note(matchCount: 2, draftedCount: 4, acceptedCount: 0) }
        #expect(acceptance.rate(matchCount: 2) < 0.01)
        #expect(acceptance.rate(matchCount: 1) == initial[1])
        // Those that are not tried get another chance.
        for _ in 0..<200 { acceptance.note(matchCount: 2, draftedCount: 0, acceptedCount: 0) }
        #expect(abs(acceptance.rate(matchCount: 2) - initial[2]) < 0.01)
        for _ in 0..<20 { acceptance.note(matchCount: 2, draftedCount: 4, acceptedCount: 4) }
        #expect(acceptance.rate(matchCount: 2) > 0.99)
    }

    /// Steps that take `fixed` seconds and `more` for each row; every third row makes no token.
    private func cost(_ rows: [Int], fixed: Double, more: Double) -> StepCost {
        var cost = StepCost()
        for count in 0..<200 {
            let rowCount = rows[count % rows.count]
            cost.note(
                rowCount: rowCount, tokenCount: rowCount - rowCount / 3,
                seconds: fixed + more * Double(rowCount))
        }
        return cost
    }

    @Test func whatARowCostsIsLearned() {
        #expect(!StepCost().isKnown)
        #expect(StepCost().leastAcceptanceRate == 0)
        // Weights are read once a step, rows are cheap: nearly every guess pays.
        let cheap = cost([8, 12, 9, 14, 8], fixed: 7e-3, more: 1e-5)
        #expect(cheap.isKnown)
        #expect(cheap.leastAcceptanceRate < 0.1)
        // Rows are all that costs: a guess must be right as often as rows make tokens anyway.
        let dear = cost([8, 12, 9, 14, 8], fixed: 0, more: 1e-3)
        #expect(dear.leastAcceptanceRate > 0.7)
        // While rows don't vary, what is assumed counts.
        let unknown = cost([8], fixed: 7e-3, more: 0)
        #expect(unknown.leastAcceptanceRate > 0.1)
        #expect(unknown.leastAcceptanceRate < 0.5)
    }

    @Test func stepsGetLongerByAShareAtMost() {
        let cost = cost([8, 12, 9, 14, 8], fixed: 8e-3, more: 1e-3)
        // 8 rows take 16 ms, a quarter of that is 4 rows.
        #expect((3...5).contains(cost.rowCount(lengthening: 8, by: 0.25)))
        #expect((9...11).contains(cost.rowCount(lengthening: 32, by: 0.25)))
        #expect(StepCost().rowCount(lengthening: 8, by: 0.25) == .max)
    }
}
