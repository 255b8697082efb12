internal import Transformer

/// A sequence's next token, as its row of logits and its own sampler have it.
struct TokenChoice {
    /// False when some logit of the row is infinite or not a number.
    let isFinite: Bool
    /// Nil when no logit is finite, or none was left so by bias and penalties.
    let token: Int32?
    /// The row's log-probabilities, where the request wants them.
    let model: LogprobTable?

    /// - Parameter row: overwritten.
    init(for sequence: DecodingSequence, from row: UnsafeMutableBufferPointer<Float>) {
        isFinite = LogitRow(row).isFinite
        guard isFinite else {
            (token, model) = (nil, nil)
            return
        }
        // Before the sampler overwrites the row; its choice is looked up afterwards.
        model = sequence.request.logprobCount.map { LogprobTable(row, topCount: $0) }
        token = sequence.sampler.next(row)
    }
}

extension EngineLoop {
    /// Whether a slice's last rows make new tokens.
    func makesTokens(_ slice: StepDecision.Slice, _ sequence: DecodingSequence) -> Bool {
        sequence.newTokenLimit > 0
            && slice.tokens.upperBound - slice.draftTokenCount == sequence.tokens.count
            && slice.logitsRowCount > slice.draftTokenCount
    }

    /// Reads a step's rows of logits: scores of prompts go to `scoredRows`, next tokens to their
    /// sequences.
    ///
    /// Both go over a whole vocabulary, several times with some parameters, so the workers share
    /// the sequences and the scored rows. Each sequence has a sampler of its own, and no choice
    /// depends on another.
    func read(_ logits: StepLogits, of decision: StepDecision) {
        var drawn: [(row: Int, draftTokenCount: Int, sequence: DecodingSequence)] = []
        scoredRows.removeAll(keepingCapacity: true)
        var row = 0
        for slice in decision.slices {
            defer { row += slice.logitsRowCount }
            guard let sequence = sequences[slice.number] else { continue }
            let rowCount = makesTokens(slice, sequence) ? 1 + slice.draftTokenCount : 0
            addScoredRows(of: slice, sequence, firstRow: row, newTokenRowCount: rowCount)
            guard rowCount > 0 else { continue }
            drawn.append(
                (row + slice.logitsRowCount - rowCount, slice.draftTokenCount, sequence))
        }
        scoredRows.withUnsafeMutableBufferPointer { scoredRows in
            runner.concurrently(drawn.count + scoredRows.count) { index in
                guard index < drawn.count else {
                    return scoredRows[index - drawn.count].rank(logits)
                }
                let (row, draftTokenCount, sequence) = drawn[index]
                choose(for: sequence, from: row, draftTokenCount: draftTokenCount, logits)
            }
        }
    }

    /// Chooses the next tokens of a sequence: what the newest token's row makes, and as long as
    /// that is what was guessed, what the next row makes.
    private func choose(
        for sequence: DecodingSequence, from row: Int, draftTokenCount: Int, _ logits: StepLogits
    ) {
        sequence.choices.removeAll(keepingCapacity: true)
        for offset in 0...draftTokenCount {
            let choice = TokenChoice(for: sequence, from: logits.row(row + offset))
            sequence.choices.append(choice)
            guard offset < draftTokenCount, choice.token == sequence.draft.tokens[offset]
            else { break }
        }
    }
}
