import Adapters
import Dispatch
import Synchronization
import Testing

/// How many adapters are read at a time, told by gates.
@Suite struct AdapterLoadsTests {
    /// Bodies that wait until they are let go, and how many of them ran at a time.
    private final class Gate: Sendable {
        private struct State {
            var running = [false: 0, true: 0]
            var most = [false: 0, true: 0]
            var mostTogether = 0
            var endedCount = 0
        }

        private let state = Mutex(State())
        private let semaphore = DispatchSemaphore(value: 0)

        func pass(isHeavy: Bool) {
            state.withLock { state in
                state.running[isHeavy, default: 0] += 1
                state.most[isHeavy] = max(state.most[isHeavy] ?? 0, state.running[isHeavy] ?? 0)
                state.mostTogether = max(
                    state.mostTogether, state.running.values.reduce(0, +))
            }
            semaphore.wait()
            state.withLock { state in
                state.running[isHeavy, default: 0] -= 1
                state.endedCount += 1
            }
        }

        func letOneGo() { semaphore.signal() }

        var running: [Bool: Int] { state.withLock { $0.running } }
        var endedCount: Int { state.withLock { $0.endedCount } }
        func most(isHeavy: Bool) -> Int { state.withLock { $0.most[isHeavy] ?? 0 } }
        var mostTogether: Int { state.withLock { $0.mostTogether } }
    }

    private func run(_ kinds: [Bool]) async throws -> Gate {
        let loads = AdapterLoads()
        let gate = Gate()
        for isHeavy in kinds { loads.read(isHeavy: isHeavy) { gate.pass(isHeavy: isHeavy) } }
        let heavyCount = min(1, kinds.count { $0 })
        let lightCount = min(
            AdapterLimits.concurrentReadCount - heavyCount, kinds.count { !$0 })
        // As many as may run do, before any of them ends.
        try await wait { gate.running == [true: heavyCount, false: lightCount] }
        for number in 1...kinds.count {
            gate.letOneGo()
            try await wait { gate.endedCount == number }
        }
        return gate
    }

    @Test(arguments: [3, 4, 5, 12])
    func fourAreReadAtATime(count: Int) async throws {
        #expect(AdapterLimits.concurrentReadCount == 4)
        let gate = try await run([Bool](repeating: false, count: count))
        #expect(gate.mostTogether == min(count, 4))
    }

    /// Those that compute with whole matrices wait for each other, and nobody else for them.
    @Test func oneOfTheFourIsDense() async throws {
        let gate = try await run([true, true, true] + [Bool](repeating: false, count: 6))
        #expect(gate.most(isHeavy: true) == 1)
        #expect(gate.mostTogether == 4)
        let dense = try await run([true, true, true])
        #expect(dense.mostTogether == 1)
    }
}
