internal import CKernels
import Glibc
import Synchronization

/// The threads of a pool and the job that they are at.
///
/// Workers join a job while its gate is open, and the caller waits only for those that joined: a
/// worker that the system keeps waiting holds nobody up. Threads hold the crew, not the pool, so
/// that a pool can end while they sleep.
///
/// Each worker has a share of the tasks that follow each other, so that the memory that they read
/// does too, and helps with the others' shares when its own is done.
///
/// `@unchecked Sendable`: the job and what is upcoming are written by `run` and `announce` alone,
/// while the gate is shut and nobody is inside, and read only by workers that are inside.
final class WorkerCrew: @unchecked Sendable {
    private let size: Int
    /// What several threads write has cache lines of its own: those who wait for a job read its
    /// number over and over, which must not slow down who writes the rest.
    private let lines: CacheLines
    private let sleeperCount = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)
    private let sleep = SleepCondition()
    private let turn = Mutex<Void>(())
    private let closure = ClosureJob()

    private enum Gate {
        static let open = 1
        static let worker = 2
    }

    /// No reference is counted: `run` keeps the object alive, and threads that count the references
    /// to one object wait for each other.
    private struct Job: BitwiseCopyable {
        let taskCount: Int
        let object: Unmanaged<WorkerJob>
    }

    /// Places in memory that threads share, each in lines of its own.
    private struct CacheLines {
        private static let byteCount = 128
        private let memory: UnsafeMutableRawPointer

        /// The number of the job at hand.
        let generation: UnsafeMutablePointer<Atomic<Int>>
        /// `Gate.open` while the job takes workers, plus `Gate.worker` for each that is inside.
        let gate: UnsafeMutablePointer<Atomic<Int>>
        /// Read by who has just come through the gate.
        let job: UnsafeMutablePointer<Job?>
        /// For each worker; read like `job`.
        let upcoming: UnsafeMutablePointer<UpcomingMemory>
        private let nextTasks: UnsafeMutableRawPointer

        init(workerCount: Int) {
            memory = .allocate(
                byteCount: (2 + workerCount) * Self.byteCount, alignment: Self.byteCount)
            upcoming = .allocate(capacity: workerCount)
            upcoming.initialize(repeating: UpcomingMemory(), count: workerCount)
            let second = memory + Self.byteCount
            generation = memory.bindMemory(to: Atomic<Int>.self, capacity: 1)
            gate = second.bindMemory(to: Atomic<Int>.self, capacity: 1)
            job = (second + Self.byteCount / 2).bindMemory(to: Job?.self, capacity: 1)
            nextTasks = second + Self.byteCount
            generation.initialize(to: Atomic(0))
            gate.initialize(to: Atomic(0))
            job.initialize(to: nil)
            for worker in 0..<workerCount { nextTask(of: worker).initialize(to: Atomic(0)) }
        }

        /// The first task of a worker's share that nobody took.
        func nextTask(of worker: Int) -> UnsafeMutablePointer<Atomic<Int>> {
            (nextTasks + worker * Self.byteCount).assumingMemoryBound(to: Atomic<Int>.self)
        }

        func deallocate() {
            memory.deallocate()
            upcoming.deallocate()
        }
    }

    /// The part of what is left of a share that a worker takes at once is one of so many.
    private static let takenPart = 4
    /// Rounds of waiting before a worker sleeps.
    private static let spinCount = 4000

    /// - Parameter size: workers, the caller of `run` included; at least 1.
    init(size: Int) {
        self.size = size
        lines = CacheLines(workerCount: size)
        for worker in 1..<size { start(worker) }
    }

    deinit { lines.deallocate() }

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
            turn.withLock { _ in
                closure.body = body
                share(closure, taskCount, meanwhile: {})
                closure.body = nil
            }
        }
    }

    func run(taskCount: Int, _ object: WorkerJob, meanwhile: () -> Void) {
        guard size > 1, taskCount > 1 else {
            return turn.withLock { _ in
                meanwhile()
                for task in 0..<taskCount { object.perform(task: task, worker: 0) }
            }
        }
        turn.withLock { _ in share(object, taskCount, meanwhile: meanwhile) }
    }

    /// Says what the first products after the next job multiply with, one matrix after the other.
    func announce(_ matrices: [PackedView]) {
        guard size > 1 else { return }
        turn.withLock { _ in
            for worker in 0..<size {
                lines.upcoming[worker] = UpcomingMemory(
                    matrices, worker: worker, workerCount: size)
            }
        }
    }

    private func share(_ object: WorkerJob, _ taskCount: Int, meanwhile: () -> Void) {
        let job = Job(taskCount: taskCount, object: .passUnretained(object))
        lines.job.pointee = job
        for worker in 0..<size {
            lines.nextTask(of: worker).pointee.store(
                firstTask(of: worker, taskCount), ordering: .relaxed)
        }
        lines.gate.pointee.store(Gate.open, ordering: .releasing)
        lines.generation.pointee.add(1, ordering: .sequentiallyConsistent)
        if sleeperCount.load(ordering: .sequentiallyConsistent) > 0 { sleep.wakeAll() }
        meanwhile()
        work(on: job, as: 0)
        lines.gate.pointee.bitwiseAnd(~Gate.open, ordering: .acquiringAndReleasing)
        while lines.gate.pointee.load(ordering: .acquiring) != 0 {
            if !lines.upcoming.pointee.fetch() { gk_pause() }
        }
        lines.job.pointee = nil
    }

    private func work(on job: Job, as worker: Int) {
        job.object._withUnsafeGuaranteedRef { object in
            for offset in 0..<size {
                let share = (worker + offset) % size
                let end = firstTask(of: share + 1, job.taskCount)
                while let tasks = takeTasks(of: share, end: end) {
                    for task in tasks { object.perform(task: task, worker: worker) }
                }
            }
        }
    }

    /// Where a worker's share begins.
    private func firstTask(of worker: Int, _ taskCount: Int) -> Int {
        worker * taskCount / size
    }

    /// Some of the tasks that are left of a share, fewer and fewer: who takes one waits until all
    /// that it wrote has left the processor.
    private func takeTasks(of share: Int, end: Int) -> Range<Int>? {
        let next = lines.nextTask(of: share)
        // Reading alone leaves the line with its worker.
        let left = end - next.pointee.load(ordering: .relaxed)
        guard left > 0 else { return nil }
        let count = max(1, left / Self.takenPart)
        let first = next.pointee.wrappingAdd(count, ordering: .relaxed).oldValue
        return first < end ? first..<min(end, first + count) : nil
    }

    private func loop(worker: Int) {
        var seen = 0
        var upcoming = UpcomingMemory()
        while let next = waitForJob(after: seen, fetching: &upcoming) {
            seen = next
            guard enter() else { continue }
            if let job = lines.job.pointee { work(on: job, as: worker) }
            upcoming.update(to: lines.upcoming[worker])
            lines.gate.pointee.wrappingSubtract(Gate.worker, ordering: .releasing)
        }
    }

    /// Joins the job; false when it takes no more workers.
    private func enter() -> Bool {
        var current = lines.gate.pointee.load(ordering: .acquiring)
        while current & Gate.open != 0 {
            let (exchanged, original) = lines.gate.pointee.weakCompareExchange(
                expected: current, desired: current + Gate.worker,
                ordering: .acquiringAndReleasing)
            if exchanged { return true }
            current = original
        }
        return false
    }

    /// The next generation's number; nil when the pool ends.
    private func waitForJob(after seen: Int, fetching memory: inout UpcomingMemory) -> Int? {
        for _ in 0..<Self.spinCount {
            let current = lines.generation.pointee.load(ordering: .acquiring)
            if current != seen { return current }
            if isStopping.load(ordering: .relaxed) { return nil }
            if !memory.fetch() { gk_pause() }
        }
        sleeperCount.add(1, ordering: .sequentiallyConsistent)
        defer { sleeperCount.subtract(1, ordering: .sequentiallyConsistent) }
        sleep.wait {
            lines.generation.pointee.load(ordering: .sequentiallyConsistent) != seen
                || isStopping.load(ordering: .sequentiallyConsistent)
        }
        let current = lines.generation.pointee.load(ordering: .acquiring)
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

/// A closure as a job.
private final class ClosureJob: WorkerJob {
    var body: ((Int, Int) -> Void)?

    override func perform(task: Int, worker: Int) { body?(task, worker) }
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
