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
    /// The next tokens of a step's slices, place by place; nil for slices whose last row makes none.
    ///
    /// Sampling goes over a whole vocabulary, several times with some parameters, so the workers share
    /// the sequences. Each has a sampler of its own, and no choice depends on another.
    func choices(for decision: StepDecision, _ logits: StepLogits) -> [TokenChoice?] {
        var drawn: [(place: Int, row: Int, sequence: DecodingSequence)] = []
        var row = 0
        for (place, slice) in decision.slices.enumerated() {
            row += slice.logitsRowCount
            guard slice.logitsRowCount > 0, let sequence = sequences[slice.number],
                slice.tokens.upperBound == sequence.tokens.count, sequence.newTokenLimit > 0
            else { continue }
            drawn.append((place, row - 1, sequence))
        }
        var choices = [TokenChoice?](repeating: nil, count: decision.slices.count)
        choices.withUnsafeMutableBufferPointer { choices in
            // Each task writes a place of its own.
            let places = choices
            runner.concurrently(drawn.count) { index in
                let (place, row, sequence) = drawn[index]
                places[place] = TokenChoice(for: sequence, from: logits.row(row))
            }
        }
        return choices
    }
}
