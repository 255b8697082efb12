internal import Dispatch
import Foundation
package import Kernels
import Synchronization

/// Has the system back memory a little ahead of its use, on a thread of its own.
///
/// Memory that was only reserved is backed when it is first written to, page by page, while a step
/// waits: in a virtual machine whose host gives memory as it is asked for that takes milliseconds
/// for each large page. So the next bytes behind those in use are asked for meanwhile, a bounded
/// number of them.
///
/// `@unchecked Sendable`: the thread asks for memory, and writes none.
package final class PopulatedMargin: @unchecked Sendable {
    /// Bytes ahead of use that are backed.
    package static let defaultByteCount = 32 << 20
    /// Asked for at a time: one of the system's large pages.
    private static let chunkByteCount = 2 << 20
    /// Some way behind the workers, which are in a step while this thread runs.
    private static let niceness: Int32 = 10

    private let state: State

    /// - Parameter marginByteCount: backed ahead of use, at most; from the beginning.
    package init(of memory: AlignedBuffer<Float>, marginByteCount: Int = defaultByteCount) {
        state = State(memory, marginByteCount)
        state.start()
    }

    deinit { state.stop() }

    /// Says that the first `byteCount` bytes are in use.
    package func use(_ byteCount: Int) { state.use(byteCount) }

    /// What the thread holds, which keeps the memory until it has ended.
    private final class State: @unchecked Sendable {
        private let memory: AlignedBuffer<Float>
        private let byteCount: Int
        private let marginByteCount: Int
        private let usedByteCount = Atomic<Int>(0)
        private let populatedByteCount = Atomic<Int>(0)
        private let isStopping = Atomic<Bool>(false)
        private let wake = DispatchSemaphore(value: 0)

        init(_ memory: AlignedBuffer<Float>, _ marginByteCount: Int) {
            self.memory = memory
            self.marginByteCount = marginByteCount
            byteCount = memory.count * MemoryLayout<Float>.stride
        }

        func use(_ byteCount: Int) {
            guard byteCount > usedByteCount.load(ordering: .relaxed) else { return }
            usedByteCount.store(byteCount, ordering: .relaxed)
            let left = populatedByteCount.load(ordering: .relaxed) - byteCount
            if left <= marginByteCount - PopulatedMargin.chunkByteCount { wake.signal() }
        }

        func stop() {
            isStopping.store(true, ordering: .relaxed)
            wake.signal()
        }

        func start() {
            let thread = Thread { self.run() }
            thread.name = "graft-pages"
            thread.start()
        }

        private func run() {
            // Of this thread alone: 0 is the caller's own number.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, PopulatedMargin.niceness)
            repeat {
                guard populate() else { return }
                wake.wait()
            } while !isStopping.load(ordering: .relaxed)
        }

        /// False where the system doesn't know the request, as before Linux 5.14, or has no memory
        /// left.
        private func populate() -> Bool {
            var done = populatedByteCount.load(ordering: .relaxed)
            while !isStopping.load(ordering: .relaxed) {
                let used = usedByteCount.load(ordering: .relaxed)
                done = max(
                    done, used / PopulatedMargin.chunkByteCount * PopulatedMargin.chunkByteCount)
                guard done < min(byteCount, used + marginByteCount) else { break }
                let count = min(PopulatedMargin.chunkByteCount, byteCount - done)
                let start = UnsafeMutableRawPointer(memory.pointer) + done
                guard madvise(start, count, MADV_POPULATE_WRITE) == 0 else { return false }
                done += count
                populatedByteCount.store(done, ordering: .relaxed)
            }
            return true
        }
    }
}
