internal import CKernels
import Glibc
import Synchronization

/// The threads of a pool and the job that they are at.
///
/// Workers join a job while its gate is open, and the caller waits only for those that joined: a
/// worker that the system keeps waiting holds nobody up. Threads hold the crew, not the pool, so that
/// a pool can end while they sleep.
///
/// Each worker has a share of the tasks that follow each other, so that the memory that they read does
/// too, and helps with the others' shares when its own is done.
///
/// `@unchecked Sendable`: `job` is written by `run` alone while the gate is shut and nobody is inside,
/// and read only by workers that are inside.
final class WorkerCrew: @unchecked Sendable {
    private let size: Int
    private let generation = Atomic<Int>(0)
    /// The first task of each worker's share that nobody took, `shareStride` apart.
    private let nextTasks: UnsafeMutablePointer<Atomic<Int>>
    private let shareStride = 128 / MemoryLayout<Atomic<Int>>.stride
    /// `Gate.open` while a job takes workers, plus `Gate.worker` for each that is inside.
    private let gate = Atomic<Int>(0)
    private let sleeperCount = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)
    private let sleep = SleepCondition()
    private let turn = Mutex<Void>(())
    private var job: Job?

    private enum Gate {
        static let open = 1
        static let worker = 2
    }

    private struct Job {
        enum Work {
            case body((Int, Int) -> Void)
            case object(any WorkerJob)
        }
        let taskCount: Int
        let work: Work
    }

    /// Rounds of waiting before a worker sleeps.
    private static let spinCount = 4000

    /// - Parameter size: workers, the caller of `run` included; at least 1.
    init(size: Int) {
        self.size = size
        nextTasks = .allocate(capacity: size * shareStride)
        for place in 0..<size * shareStride {
            (nextTasks + place).initialize(to: Atomic(0))
        }
        for worker in 1..<size { start(worker) }
    }

    deinit {
        nextTasks.deinitialize(count: size * shareStride)
        nextTasks.deallocate()
    }

    /// Lets the threads end; they do so when their job is done.
    func stop() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        sleep.wakeAll()
    }

    func run(taskCount: Int, _ body: (Int, Int) -> Void) {
        guard size > 1, taskCount > 1 else {
            return turn.withLock { _ in for task in 0..<taskCount { body(task, 0) } }
        }
        withoutActuallyEscaping(body) { body in
            turn.withLock { _ in share(Job(taskCount: taskCount, work: .body(body))) }
        }
    }

    func run(taskCount: Int, _ object: any WorkerJob) {
        guard size > 1, taskCount > 1 else {
            return turn.withLock { _ in
                for task in 0..<taskCount { object.perform(task: task, worker: 0) }
            }
        }
        turn.withLock { _ in share(Job(taskCount: taskCount, work: .object(object))) }
    }

    private func share(_ shared: Job) {
        job = shared
        for worker in 0..<size {
            nextTasks[worker * shareStride].store(
                firstTask(of: worker, shared.taskCount), ordering: .relaxed)
        }
        gate.store(Gate.open, ordering: .releasing)
        generation.add(1, ordering: .sequentiallyConsistent)
        if sleeperCount.load(ordering: .sequentiallyConsistent) > 0 { sleep.wakeAll() }
        work(on: shared, as: 0)
        gate.bitwiseAnd(~Gate.open, ordering: .acquiringAndReleasing)
        while gate.load(ordering: .acquiring) != 0 { gk_pause() }
        job = nil
    }

    private func work(on job: Job, as worker: Int) {
        for offset in 0..<size {
            let share = (worker + offset) % size
            let end = firstTask(of: share + 1, job.taskCount)
            // Told apart here and not for each task, which would count references.
            switch job.work {
            case .body(let body):
                while let task = takeTask(of: share, end: end) { body(task, worker) }
            case .object(let object):
                while let task = takeTask(of: share, end: end) {
                    object.perform(task: task, worker: worker)
                }
            }
        }
    }

    /// Where a worker's share begins.
    private func firstTask(of worker: Int, _ taskCount: Int) -> Int {
        worker * taskCount / size
    }

    private func takeTask(of share: Int, end: Int) -> Int? {
        let task = nextTasks[share * shareStride].add(1, ordering: .relaxed).oldValue
        return task < end ? task : nil
    }

    private func loop(worker: Int) {
        var seen = 0
        while let next = waitForJob(after: seen) {
            seen = next
            guard enter() else { continue }
            if let job { work(on: job, as: worker) }
            gate.subtract(Gate.worker, ordering: .releasing)
        }
    }

    /// Joins the job; false when it takes no more workers.
    private func enter() -> Bool {
        var current = gate.load(ordering: .acquiring)
        while current & Gate.open != 0 {
            let (exchanged, original) = gate.weakCompareExchange(
                expected: current, desired: current + Gate.worker,
                ordering: .acquiringAndReleasing)
            if exchanged { return true }
            current = original
        }
        return false
    }

    /// The next generation's number; nil when the pool ends.
    private func waitForJob(after seen: Int) -> Int? {
        for _ in 0..<Self.spinCount {
            let current = generation.load(ordering: .acquiring)
            if current != seen { return current }
            if isStopping.load(ordering: .relaxed) { return nil }
            gk_pause()
        }
        sleeperCount.add(1, ordering: .sequentiallyConsistent)
        defer { sleeperCount.subtract(1, ordering: .sequentiallyConsistent) }
        sleep.wait {
            generation.load(ordering: .sequentiallyConsistent) != seen
                || isStopping.load(ordering: .sequentiallyConsistent)
        }
        let current = generation.load(ordering: .acquiring)
        return current != seen ? current : nil
    }

    private func start(_ worker: Int) {
        let entry = Unmanaged.passRetained(WorkerEntry(crew: self, worker: worker))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let entry = Unmanaged<WorkerEntry>.fromOpaque(argument).takeRetainedValue()
                entry.crew.loop(worker: entry.worker)
                return nil
            }, entry.toOpaque())
        precondition(status == 0, "a worker thread could not be started: error \(status)")
        pthread_detach(thread)
    }
}

/// What a worker thread is told at its start.
private final class WorkerEntry {
    let crew: WorkerCrew
    let worker: Int

    init(crew: WorkerCrew, worker: Int) {
        self.crew = crew
        self.worker = worker
    }
}

/// A condition variable; memory of the system's own, which must not move.
///
/// `@unchecked Sendable`: both objects are made for use from several threads.
private final class SleepCondition: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        condition.deallocate()
    }

    /// Sleeps until `isReady` says yes.
    func wait(until isReady: () -> Bool) {
        pthread_mutex_lock(mutex)
        while !isReady() { pthread_cond_wait(condition, mutex) }
        pthread_mutex_unlock(mutex)
    }

    func wakeAll() {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }
}
