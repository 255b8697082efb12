internal import Transformer

extension EngineLoop {
    /// Takes over what was read of a slice's rows of logits: prompt scores and the next tokens.
    ///
    /// - Parameter scoredRows: the slice's.
    func process(_ slice: StepDecision.Slice, _ scoredRows: ArraySlice<ScoredRow>) {
        guard let sequence = sequences[slice.number] else { return }
        for scored in scoredRows {
            guard scored.isFinite else {
                return fail(slice.number, .nonFiniteLogits(position: scored.place))
            }
            sequence.take(scored)
        }
        if makesTokens(slice, sequence) {
            guard sequence.choices.first?.isFinite ?? true else {
                return fail(slice.number, .nonFiniteLogits(position: sequence.tokens.count - 1))
            }
            guard deliverPromptLogprobs(slice.number) else { return }
            return generate(sequence, draftTokenCount: slice.draftTokenCount)
        }
        guard sequence.newTokenLimit == 0, slice.tokens.upperBound == sequence.promptEnd,
            deliverPromptLogprobs(slice.number)
        else { return }
        finish(slice.number, .length)
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

    /// Takes over what the step's rows made, up to the first token that was not guessed.
    private func generate(_ sequence: DecodingSequence, draftTokenCount: Int) {
        let acceptedCount = sequence.choices.count - 1
        sequence.draft.note(draftedCount: draftTokenCount, acceptedCount: acceptedCount)
        statistics.draftedTokenCount += draftTokenCount
        statistics.acceptedDraftTokenCount += acceptedCount
        for choice in sequence.choices {
            guard let token = choice.token else {
                return fail(
                    sequence.number, .nonFiniteLogits(position: sequence.tokens.count - 1))
            }
            // All tokens so far have been computed, guessed ones among them.
            pages.publish(sequence.number, tokenCount: sequence.tokens.count)
            sequence.append(token, at: now)
            scheduler.appendToken(to: sequence.number)
            statistics.generatedTokenCount += 1
            guard proceeds(sequence, with: token, choice.model) else { return }
        }
        if draftTokenCount > 0 { scheduler.dropDrafts(of: sequence.number) }
    }

    /// Delivers a new token.
    ///
    /// - Returns: false when the request ended with it.
    private func proceeds(
        _ sequence: DecodingSequence, with token: Int32, _ model: LogprobTable?
    ) -> Bool {
        let isEndToken = sequence.request.endTokens.contains(token)
        let decision = sequence.request.sink.receive(
            .token(
                GeneratedToken(
                    token: token, isEndToken: isEndToken, logprobs: model?.logprobs(of: token))))
        if isEndToken || decision == .stop {
            finish(sequence.number, .stop)
        } else if sequence.newTokenCount == sequence.newTokenLimit {
            finish(sequence.number, .length)
        } else {
            return true
        }
        return false
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
