import Kernels
import Synchronization
import Testing

struct WorkerPoolTests {
    @Test(arguments: [1, 2, 3, 8])
    func everyTaskRunsOnce(threads: Int) {
        let pool = WorkerPool(threadCount: threads)
        for taskCount in [0, 1, 2, 7, 100] {
            let counts = AlignedBuffer<Int>(count: taskCount)
            pool.run(taskCount: taskCount) { task, worker in
                #expect((0..<threads).contains(worker))
                counts.pointer[task] += 1
            }
            #expect((0..<taskCount).allSatisfy { counts.pointer[$0] == 1 })
        }
    }

    @Test func manySmallJobsAreAllDoneWhenRunReturns() {
        let pool = WorkerPool(threadCount: 4)
        let sum = AlignedBuffer<Int>(count: 16)
        for _ in 0..<5_000 {
            pool.run(taskCount: 16) { task, _ in sum.pointer[task] += task }
        }
        #expect((0..<16).allSatisfy { sum.pointer[$0] == 5_000 * $0 })
    }

    @Test func callersFromSeveralThreadsTakeTurns() async {
        let pool = WorkerPool(threadCount: 2)
        let total = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<200 { pool.run(taskCount: 10) { _, _ in total.increment() } }
                }
            }
        }
        #expect(total.value == 4 * 200 * 10)
    }

    @Test func poolsEndAfterUse() {
        for _ in 0..<200 {
            let pool = WorkerPool(threadCount: 3)
            pool.run(taskCount: 3) { _, _ in }
        }
    }
}

private final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    func increment() { count.add(1, ordering: .relaxed) }

    var value: Int { count.load(ordering: .relaxed) }
}
