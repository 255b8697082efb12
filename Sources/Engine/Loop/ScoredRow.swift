internal import Transformer

/// A row of logits that scores the prompt's next token.
struct ScoredRow {
    /// Among the step's rows of logits.
    let row: Int
    /// The place in the sequence of the token that the row was made of.
    let place: Int
    /// What follows it in the prompt; nil at its end, where there is nothing to score.
    let next: Int32?
    let topCount: Int
    /// False when some logit is infinite or not a number.
    private(set) var isFinite = true
    private(set) var logprobs: TokenLogprobs?

    init(row: Int, place: Int, next: Int32?, topCount: Int) {
        self.row = row
        self.place = place
        self.next = next
        self.topCount = topCount
    }

    /// Goes over the vocabulary, which takes longer than anything that the engine's thread does for
    /// a token: it is the workers' to call.
    mutating func rank(_ logits: StepLogits) {
        let row = logits.row(row)
        isFinite = LogitRow(row).isFinite
        guard isFinite, let next else { return }
        logprobs = TokenLogprobs(of: next, in: row, topCount: topCount)
    }
}

extension EngineLoop {
    /// Notes the rows of a slice that score its prompt.
    ///
    /// - Parameters:
    ///   - row: the slice's first among the step's rows of logits.
    ///   - newTokenRowCount: rows at the end that make new tokens.
    func addScoredRows(
        of slice: StepDecision.Slice, _ sequence: DecodingSequence, firstRow row: Int,
        newTokenRowCount: Int
    ) {
        for offset in 0..<slice.logitsRowCount - newTokenRowCount {
            let place = slice.firstLogitsToken + offset
            let isWanted =
                sequence.promptLogprobs != nil && place + 1 < sequence.promptEnd
            scoredRows.append(
                ScoredRow(
                    row: row + offset, place: place,
                    next: isWanted ? sequence.tokens[place + 1] : nil,
                    topCount: sequence.request.promptLogprobCount ?? 0))
        }
    }
}
