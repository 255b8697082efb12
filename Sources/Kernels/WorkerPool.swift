internal import CKernels

/// Work of many tasks that is done again and again; to be derived from.
open class WorkerJob {
    public init() {}

    /// Does one task; called by several workers at a time.
    open func perform(task: Int, worker: Int) {
        preconditionFailure("a job says what its tasks do")
    }
}

/// Threads that share out the tasks of one job at a time.
///
/// The caller works as worker 0. Between jobs workers spin for some tens of microseconds, which
/// bridges the gaps within a step, then sleep.
public final class WorkerPool: Sendable {
    public let threadCount: Int
    private let crew: WorkerCrew
    /// `GK_SCRATCH_FLOATS` for each worker.
    private let scratch: AlignedBuffer<Float>

    /// - Parameter threadCount: workers, the caller included; at least 1.
    public init(threadCount: Int) {
        precondition(threadCount >= 1)
        self.threadCount = threadCount
        crew = WorkerCrew(size: threadCount)
        scratch = AlignedBuffer(count: threadCount * Int(GK_SCRATCH_FLOATS))
    }

    deinit { crew.stop() }

    /// Calls `body` once for every task in 0 ..< taskCount and returns when all are done.
    ///
    /// Tasks are handed out in ascending order to whichever worker is free. Jobs don't nest: calls
    /// from several threads wait for each other.
    public func run(taskCount: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
        guard taskCount > 0 else { return }
        crew.run(taskCount: taskCount, body)
    }

    /// What `body` makes of each element, in order; it runs for several at a time.
    public func map<Element, Result>(
        _ elements: [Element], _ body: (Element) -> Result
    ) -> [Result] {
        var results = [Result?](repeating: nil, count: elements.count)
        results.withUnsafeMutableBufferPointer { results in
            // Each task writes a place of its own.
            let places = results.baseAddress
            run(taskCount: elements.count) { task, _ in places?[task] = body(elements[task]) }
        }
        return results.compactMap { $0 }
    }

    /// The same for a job that is an object: nothing is allocated.
    ///
    /// - Parameter meanwhile: called once, while other workers are at the job where there are any;
    ///   it must not use the pool.
    package func run(taskCount: Int, _ job: WorkerJob, meanwhile: () -> Void = {}) {
        guard taskCount > 0 else { return meanwhile() }
        crew.run(taskCount: taskCount, job, meanwhile: meanwhile)
    }

    /// Says what the first products after the next job multiply with: workers who wait for others
    /// fetch it. Holds until something else is said; the memory need not stay.
    package func announce(_ matrices: [PackedView]) { crew.announce(matrices) }

    /// A product's working memory, one a worker.
    func productScratch(worker: Int) -> UnsafeMutablePointer<Float> {
        scratch.pointer + worker * Int(GK_SCRATCH_FLOATS)
    }
}
