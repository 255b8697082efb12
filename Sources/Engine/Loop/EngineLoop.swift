internal import Transformer

/// The engine's thread: takes commands, lets the scheduler decide, runs the step, and turns its
/// logits into events.
///
/// Confined to that thread.
final class EngineLoop {
    let bounds: RequestBounds
    let runner: any StepRunner
    let pages: KeyValuePagePool
    let inbox: Inbox
    let published: PublishedStatistics
    let now: @Sendable () -> ContinuousClock.Instant
    var scheduler: Scheduler
    var sequences: [Int: DecodingSequence] = [:]
    var statistics: EngineStatistics

    init(
        configuration: EngineConfiguration, bounds: RequestBounds, runner: any StepRunner,
        pages: KeyValuePagePool, inbox: Inbox, published: PublishedStatistics,
        now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.bounds = bounds
        self.runner = runner
        self.pages = pages
        self.inbox = inbox
        self.published = published
        self.now = now
        statistics = published.current
        scheduler = Scheduler(
            limits: SchedulerLimits(
                rowCount: configuration.maximumRowCount,
                logitsRowCount: configuration.maximumLogitsRowCount,
                prefillChunk: configuration.prefillChunk,
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
            let sequence = DecodingSequence(
                number: number, request: request, room: bounds.room(for: request.lease.plan),
                submitted: submitted)
            sequences[number] = sequence
            scheduler.add(sequence.scheduled)
            statistics.promptTokenCount += sequence.promptTokenCount
        case .cancel(let number):
            finish(number, .cancelled)
        }
    }

    private func step() {
        let decision = scheduler.nextStep()
        for number in decision.preempted { releasePages(of: number) }
        statistics.preemptionCount += decision.preempted.count
        guard !decision.slices.isEmpty else { return }
        let started = now()
        let slices = decision.slices.map { stepSlice($0, startedAt: started) }
        count(decision, slices)
        var row = 0
        let logits = runner.step(slices)
        for slice in decision.slices {
            let logitsRowCount = slice.tokens.upperBound - slice.firstLogitsToken
            process(slice, logits, firstRow: row)
            row += logitsRowCount
        }
    }

    private func stepSlice(
        _ slice: StepDecision.Slice, startedAt instant: ContinuousClock.Instant
    ) -> StepSlice {
        guard var sequence = sequences[slice.number] else {
            preconditionFailure("the scheduler names a sequence that has ended")
        }
        if sequence.started == nil { sequence.started = instant }
        while sequence.pages.count < slice.pageCount {
            guard let page = pages.allocate() else {
                preconditionFailure("the scheduler hands out more pages than there are")
            }
            sequence.pages.append(page)
        }
        sequences[slice.number] = sequence
        return StepSlice(
            plan: sequence.request.lease.plan, tokens: Array(sequence.tokens[slice.tokens]),
            cachedTokenCount: slice.tokens.lowerBound, pages: sequence.pages,
            firstLogitsRow: slice.firstLogitsToken - slice.tokens.lowerBound)
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
        releasePages(of: number)
        guard let sequence = sequences.removeValue(forKey: number) else { return nil }
        scheduler.remove(number)
        sequence.request.lease.addTokens(sequence.newTokenCount)
        sequence.request.lease.release()
        inbox.didFinish()
        return sequence
    }

    private func releasePages(of number: Int) {
        for page in sequences[number]?.pages ?? [] { pages.release(page) }
        sequences[number]?.pages = []
    }
}
