internal import Transformer

extension EngineLoop {
    /// Turns a slice's rows of logits into prompt scores and the next token.
    ///
    /// - Parameter choice: made from the last row; nil where that one makes no token.
    func process(
        _ slice: StepDecision.Slice, _ logits: StepLogits, firstRow: Int, _ choice: TokenChoice?
    ) {
        let scoredCount = slice.logitsRowCount - (choice == nil ? 0 : 1)
        for offset in 0..<scoredCount {
            let place = slice.firstLogitsToken + offset
            let row = logits.row(firstRow + offset)
            guard LogitRow(row).isFinite else {
                return fail(slice.number, .nonFiniteLogits(position: place))
            }
            guard let sequence = sequences[slice.number] else { return }
            if place + 1 < sequence.promptEnd { score(slice.number, place: place + 1, row) }
        }
        if let choice {
            guard choice.isFinite else {
                return fail(
                    slice.number, .nonFiniteLogits(position: slice.tokens.upperBound - 1))
            }
            guard deliverPromptLogprobs(slice.number) else { return }
            return generate(slice.number, choice)
        }
        guard let sequence = sequences[slice.number], sequence.newTokenLimit == 0,
            slice.tokens.upperBound == sequence.promptEnd,
            deliverPromptLogprobs(slice.number)
        else { return }
        finish(slice.number, .length)
    }

    /// Scores a token of the prompt by the row of the token before it.
    private func score(_ number: Int, place: Int, _ row: UnsafeMutableBufferPointer<Float>) {
        guard let sequence = sequences[number],
            let topCount = sequence.request.promptLogprobCount,
            sequence.promptLogprobs?.count == place - sequence.softPromptTokenCount
        else { return }
        let logprobs = LogprobTable(row, topCount: topCount).logprobs(
            of: sequence.tokens[place])
        sequence.promptLogprobs?.append(logprobs)
    }

    /// - Returns: false when the request ended with it.
    private func deliverPromptLogprobs(_ number: Int) -> Bool {
        guard let sequence = sequences[number], let logprobs = sequence.promptLogprobs else {
            return true
        }
        sequence.promptLogprobs = nil
        guard sequence.request.sink.receive(.promptLogprobs(logprobs)) == .stop else { return true }
        finish(number, .stop)
        return false
    }

    private func generate(_ number: Int, _ choice: TokenChoice) {
        guard let sequence = sequences[number] else { return }
        guard let token = choice.token else {
            return fail(number, .nonFiniteLogits(position: sequence.tokens.count - 1))
        }
        sequence.append(token, at: now)
        scheduler.appendToken(to: number)
        statistics.generatedTokenCount += 1
        let isEndToken = sequence.request.endTokens.contains(token)
        let decision = sequence.request.sink.receive(
            .token(
                GeneratedToken(
                    token: token, isEndToken: isEndToken,
                    logprobs: choice.model?.logprobs(of: token))))
        if isEndToken || decision == .stop {
            finish(number, .stop)
        } else if sequence.newTokenCount == sequence.newTokenLimit {
            finish(number, .length)
        }
    }

    /// Accounts for a step that is about to run.
    func count(_ decision: StepDecision) {
        let rowCount = decision.rowCount
        statistics.stepCount += 1
        statistics.rowCount += rowCount
        statistics.lastStepRowCount = rowCount
        statistics.maximumStepRowCount = max(statistics.maximumStepRowCount, rowCount)
        statistics.maximumPlanCount = max(
            statistics.maximumPlanCount, decision.selectionCount)
    }

    /// Makes the statistics visible to other threads.
    func publish() {
        statistics.runningCount = scheduler.runningCount
        statistics.usedPageCount = pages.heldPageCount
        statistics.cachedPageCount = pages.cachedPageCount
        statistics.evictedPageCount = pages.evictionCount
        published.current = statistics
    }
}
