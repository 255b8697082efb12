import Engine

/// Pages as counts; nothing is shared.
final class CountedPages: PageLedger {
    private(set) var availablePageCount: Int
    private var held: [Int: Int] = [:]

    init(pageCount: Int) { availablePageCount = pageCount }

    func adoptCached(_ number: Int, tokenLimit: Int) -> Int { 0 }

    func grow(_ number: Int, to pageCount: Int) {
        availablePageCount -= pageCount - (held[number] ?? 0)
        held[number] = pageCount
    }

    func release(_ number: Int) { availablePageCount += held.removeValue(forKey: number) ?? 0 }
}

/// A scheduler with its pages.
struct PagedScheduler {
    private var scheduler: Scheduler
    private let pages: CountedPages

    init(limits: SchedulerLimits) {
        scheduler = Scheduler(limits: limits)
        pages = CountedPages(pageCount: limits.pageCount)
    }

    var freePageCount: Int { pages.availablePageCount }
    var runningCount: Int { scheduler.runningCount }
    var waitingCount: Int { scheduler.waitingCount }

    mutating func add(_ sequence: ScheduledSequence) { scheduler.add(sequence) }
    mutating func appendToken(to number: Int) { scheduler.appendToken(to: number) }
    mutating func nextStep() -> StepDecision { scheduler.nextStep(pages) }
    mutating func addDrafts(_ draftTokenCount: (Int) -> Int) -> StepDecision {
        scheduler.addDrafts(pages, draftTokenCount)
    }
    mutating func dropDrafts(of number: Int) { scheduler.dropDrafts(of: number) }
    mutating func expired(at now: ContinuousClock.Instant) -> [Int] { scheduler.expired(at: now) }

    mutating func remove(_ number: Int) {
        scheduler.remove(number)
        pages.release(number)
    }
}
