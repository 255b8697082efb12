internal import Transformer

/// The engine's thread: takes commands, lets the scheduler decide, runs the step, and turns its
/// logits into events.
///
/// Confined to that thread.
final class EngineLoop {
    let bounds: RequestBounds
    let runner: any StepRunner
    let pages: SequencePages
    let inbox: Inbox
    let published: PublishedStatistics
    let now: @Sendable () -> ContinuousClock.Instant
    var scheduler: Scheduler
    private var drafter: Drafter
    var sequences: [Int: DecodingSequence] = [:]
    var statistics: EngineStatistics
    /// The rows of the step; kept for their memory.
    private var slices: [StepSlice] = []
    /// The step's rows that score prompts, in the order of the slices; kept for their memory.
    var scoredRows: [ScoredRow] = []

    init(
        configuration: EngineConfiguration, bounds: RequestBounds, runner: any StepRunner,
        pages: KeyValuePagePool, inbox: Inbox, published: PublishedStatistics,
        now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.bounds = bounds
        self.runner = runner
        self.pages = SequencePages(pool: pages, isCaching: configuration.usesPrefixCache)
        self.inbox = inbox
        self.published = published
        self.now = now
        statistics = published.current
        drafter = Drafter(tokenLimit: configuration.draftTokenCount)
        scheduler = Scheduler(
            limits: SchedulerLimits(
                rowCount: configuration.maximumRowCount,
                logitsRowCount: configuration.maximumLogitsRowCount,
                prefillChunk: configuration.prefillChunk,
                prefillBudget: configuration.prefillBudget,
                sequenceCount: configuration.maximumSequenceCount, pageCount: bounds.pageCount,
                pageTokenCount: bounds.pageTokenCount))
    }

    /// Returns when the inbox says that the thread has to end.
    func run() {
        while let mail = inbox.take(isIdle: sequences.isEmpty) {
            for command in mail.commands { handle(command) }
            if mail.isAborting {
                for number in sequences.keys.sorted() { fail(number, .shuttingDown) }
            }
            let instant = now()
            for number in scheduler.expired(at: instant) { finish(number, .timeout) }
            step()
            publish()
        }
        inbox.end()
    }

    private func handle(_ command: EngineCommand) {
        switch command {
        case .submit(let request, let number, let submitted):
            let plans = PlanSchedule(request.lease, prompt: request.tokens)
            let sequence = DecodingSequence(
                number: number, request: request, room: bounds.room(for: plans.plan), plans: plans,
                paged: pages.open(
                    number, key: plans.key, earlier: plans.earlier.map { ($0.key, plans.start) },
                    layout: PageLayout(plans.plan),
                    tokens: plans.plan.softPromptTokens + request.tokens),
                submitted: submitted)
            sequences[number] = sequence
            scheduler.add(sequence.scheduled)
            statistics.promptTokenCount += sequence.promptTokenCount
        case .cancel(let number):
            finish(number, .cancelled)
        }
    }

    private func step() {
        var decision = scheduler.nextStep(pages)
        statistics.preemptionCount += decision.preempted.count
        guard !decision.slices.isEmpty else { return }
        let onlyGenerates = decision.slices.allSatisfy { $0.tokens.count == 1 }
        decision = addDrafts(to: decision)
        let started = now()
        prepareSlices(decision, at: started)
        count(decision)
        let tokenCount = statistics.generatedTokenCount
        let logits = runner.step(slices)
        read(logits, of: decision)
        var scored = scoredRows[...]
        var row = 0
        for slice in decision.slices {
            pages.publish(
                slice.number, tokenCount: slice.tokens.upperBound - slice.draftTokenCount)
            row += slice.logitsRowCount
            process(slice, scored.prefix { $0.row < row })
            scored = scored.drop { $0.row < row }
        }
        guard onlyGenerates else { return }
        drafter.note(
            rowCount: decision.rowCount,
            tokenCount: statistics.generatedTokenCount - tokenCount, duration: now() - started)
    }

    /// Lets those that generate guess further tokens, where rows are left.
    private func addDrafts(to decision: StepDecision) -> StepDecision {
        guard drafter.tokenLimit > 0 else { return decision }
        let generating = decision.slices.compactMap { slice in
            sequences[slice.number].flatMap { makesTokens(slice, $0) ? $0 : nil }
        }
        drafter.draft(
            for: generating, rowCount: decision.rowCount, limit: scheduler.freeRowCount)
        return scheduler.addDrafts(pages) { sequences[$0]?.draft.tokenCount ?? 0 }
    }

    private func prepareSlices(_ decision: StepDecision, at started: ContinuousClock.Instant) {
        if slices.count > decision.slices.count {
            slices.removeSubrange(decision.slices.count...)
        }
        for (place, slice) in decision.slices.enumerated() {
            guard let sequence = sequences[slice.number] else {
                preconditionFailure("the scheduler names a sequence that has ended")
            }
            if sequence.started == nil { sequence.started = started }
            if place == slices.count {
                slices.append(
                    StepSlice(
                        plan: sequence.plans.plan, tokens: [], cachedTokenCount: 0,
                        pages: [], firstLogitsRow: 0))
            }
            slices[place].fill(with: slice, of: sequence)
            let (foundCount, computedCount) = sequence.note(slice.tokens)
            statistics.cachedTokenCount += foundCount
            statistics.computedPromptTokenCount += computedCount
        }
    }

    /// Ends an answered request; does nothing when it has ended already.
    func finish(_ number: Int, _ reason: FinishReason) {
        guard let sequence = close(number) else { return }
        statistics.finishedCounts[reason, default: 0] += 1
        publish()
        _ = sequence.request.sink.receive(.finished(sequence.summary(reason, at: now())))
    }

    /// Gives a request up; does nothing when it has ended already.
    func fail(_ number: Int, _ error: EngineError) {
        guard let sequence = close(number) else { return }
        statistics.failedCount += 1
        publish()
        _ = sequence.request.sink.receive(.failed(error))
    }

    /// Everything that a request holds goes back, before its last event tells anyone.
    private func close(_ number: Int) -> DecodingSequence? {
        pages.close(number)
        guard let sequence = sequences.removeValue(forKey: number) else { return nil }
        scheduler.remove(number)
        sequence.request.lease.addTokens(sequence.newTokenCount)
        sequence.request.lease.release()
        inbox.didFinish()
        return sequence
    }
}

extension StepSlice {
    /// Takes a sequence's rows over in place, so that decoding allocates nothing.
    fileprivate mutating func fill(with slice: StepDecision.Slice, of sequence: DecodingSequence) {
        precondition(
            slice.tokens.lowerBound >= sequence.paged.sharedTokenCount,
            "a shared page would be written to")
        plan = sequence.plans.plan(at: slice.tokens.lowerBound)
        tokens.removeAll(keepingCapacity: true)
        let known = slice.tokens.lowerBound..<slice.tokens.upperBound - slice.draftTokenCount
        tokens.append(contentsOf: sequence.paged.tokens[known])
        tokens.append(contentsOf: sequence.draft.tokens.prefix(slice.draftTokenCount))
        cachedTokenCount = slice.tokens.lowerBound
        pages.removeAll(keepingCapacity: true)
        companionPages.removeAll(keepingCapacity: true)
        if sequence.paged.layout.laneCount == 1 {
            pages.append(contentsOf: sequence.paged.pages)
        } else {
            for (place, page) in sequence.paged.pages.enumerated() {
                if place % 2 == 0 { pages.append(page) } else { companionPages.append(page) }
            }
        }
        firstLogitsRow = slice.firstLogitsToken - slice.tokens.lowerBound
    }
}
