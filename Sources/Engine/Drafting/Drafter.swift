/// Guesses what sequences go on with, so that a step verifies several tokens of one at once.
///
/// A step reads all weights for one row as for some more. Where a text repeats what it had before
/// (the prompt's words, its own), the next tokens are guessed and computed together with the newest
/// one; each row's token is chosen as if the step had been its own, and the first that differs from
/// its guess ends what counts. No bit of an answer changes, only the number of steps.
///
/// A guess gets a row when it is likely enough to be right to make tokens faster than steps make
/// them without it, see `StepCost`; and where several sequences share a step, guesses lengthen it
/// by a third at most, so that nobody waits much for what others repeat.
///
/// **Source**: speculative decoding (arXiv 2211.17192) with a lookup in place of a draft model; as
/// its guesses are certain, the acceptance rule there comes down to comparing tokens.
struct Drafter {
    /// Guesses for one sequence in a step; 0 for none.
    let tokenLimit: Int
    private static let longestDelay = 1.0 / 3
    private var cost = StepCost()

    init(tokenLimit: Int) {
        self.tokenLimit = tokenLimit
    }

    /// Sets how many tokens each of a step's generating sequences drafts.
    ///
    /// - Parameters:
    ///   - rowCount: the step's rows without any.
    ///   - limit: rows that are left.
    func draft(for sequences: [DecodingSequence], rowCount: Int, limit: Int) {
        let leastRate = cost.leastAcceptanceRate
        // No chance is larger than 1: then not even looking is worth its time.
        let count = cost.isKnown && leastRate <= 1 ? tokenLimit : 0
        for sequence in sequences { sequence.propose(limit: count) }
        guard count > 0 else { return }
        var left = limit
        if sequences.count > 1 {
            left = min(left, cost.rowCount(lengthening: rowCount, by: Self.longestDelay))
        }
        // The likeliest first: the next token of every sequence, then the one after it.
        for depth in 1...tokenLimit {
            for sequence in sequences where left > 0 && sequence.draft.tokens.count >= depth {
                guard sequence.draft.tokenCount == depth - 1,
                    sequence.draft.chance(ofToken: depth) >= leastRate
                else { continue }
                sequence.draft.tokenCount = depth
                left -= 1
            }
        }
    }

    /// Learns from a step in which all sequences generated.
    mutating func note(rowCount: Int, tokenCount: Int, duration: Duration) {
        cost.note(
            rowCount: rowCount, tokenCount: tokenCount, seconds: duration / .seconds(1))
    }
}
