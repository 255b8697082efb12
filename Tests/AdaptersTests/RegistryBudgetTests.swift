import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Synchronization
import Testing
import Transformer

/// `--adapter-memory` is a bound: what can't fit is refused, what could waits.
@Suite struct RegistryBudgetTests {
    let directory: ScratchDirectory
    let base: BaseModel
    /// Of a fixture's adapter, when it is there and while it is read.
    let byteCounts: (resident: Int, reading: Int)

    init() throws {
        directory = try ScratchDirectory()
        base = try TinyBase().open(in: directory).model
        let path = try AdapterFixture.lora([AdapterFixture.query]).write(
            to: directory, name: "measured")
        byteCounts = try AdapterRegistry(base: base).memoryByteCounts(of: path)
    }

    private func registry(_ limit: Int) -> AdapterRegistry {
        AdapterRegistry(base: base, settings: .init(memoryByteCountLimit: limit))
    }

    private func path(_ name: String, seed: UInt64 = 3) throws -> String {
        try AdapterFixture.lora([AdapterFixture.query], seed: seed).write(to: directory, name: name)
    }

    private func select(_ names: String...) -> [SelectionEntry] {
        names.map { SelectionEntry(name: $0) }
    }

    /// - Returns: where answers to a request come.
    private func ask(
        _ registry: AdapterRegistry, _ names: String...
    ) -> Answers<Result<SelectionLease, AdapterError>> {
        let answers = Answers<Result<SelectionLease, AdapterError>>()
        registry.lease(names.map { SelectionEntry(name: $0) }) { answers.append($0) }
        return answers
    }

    private func lease(
        _ answers: Answers<Result<SelectionLease, AdapterError>>
    ) async throws -> SelectionLease {
        try await wait { !answers.all.isEmpty }
        return try #require(answers.all.first).get()
    }

    @Test func plainFactorsAreEstimatedExactly() throws {
        let listing = try AdapterRegistry(base: base).load(name: "a", path: path("a"))
        #expect(byteCounts.resident == listing.byteCount)
    }

    @Test func whatNeverFitsIsRefusedBeforeItIsRead() throws {
        let adapter = try path("a")
        let limit = byteCounts.reading
        for registry in [registry(limit), registry(limit + 1)] {
            try registry.load(name: "a", path: adapter)
            try registry.register(name: "b", path: adapter)
        }
        let small = registry(limit - 1)
        let error = AdapterError.memoryExceeded(what: adapter, byteCount: limit, limit: limit - 1)
        #expect(throws: error) { try small.load(name: "a", path: adapter) }
        #expect(throws: error) { try small.register(name: "a", path: adapter) }
        #expect(small.list().isEmpty)
        #expect(small.memory.byteCount == 0)
        #expect(small.memory.loadCount == 0)
        #expect(
            "\(AdapterError.memoryExceeded(what: "/x", byteCount: 9, limit: 8))"
                == "/x: takes up to 9 bytes of memory, and adapters may take 8 in all: give the "
                + "server more with --adapter-memory")
    }

    @Test func aSparseFileIsRefusedByItsLength() throws {
        let adapter = try path("a")
        let tensors = adapter + "/adapter_model.safetensors"
        let handle = try #require(FileHandle(forWritingAtPath: tensors))
        try handle.truncate(atOffset: 12 << 30)
        #expect {
            try registry(1 << 30).load(name: "a", path: adapter)
        } throws: {
            if case .memoryExceeded(adapter, let count, _)? = $0 as? AdapterError {
                count >= 12 << 30
            } else {
                false
            }
        }
    }

    /// What another library's file has to be read for comes out of the budget before it is read.
    @Test func whatNeverFitsOfAnotherLibraryIsRefusedBeforeItIsRead() throws {
        let path = directory.path + "/foreign"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try AtomicFile.write(#"{"lora_alpha": 4}"#, to: path + "/lora_config.json")
        let module = AdapterFixture.query
        let tensors = [
            FloatTensor(module + ".lora_A", [2, 16], type: .f16),
            FloatTensor(module + ".lora_B", [16, 2], seed: 2, type: .f16),
        ]
        let file = path + "/lora.safetensors"
        try FloatTensor.write(tensors, to: file)
        for path in [path, file] {
            let counts = try AdapterRegistry(base: base).memoryByteCounts(of: path)
            let stored = try Data(contentsOf: URL(fileURLWithPath: file)).count
            #expect(counts.reading >= stored + 2 * 4 * 64)
            let roomy = registry(counts.reading)
            let listing = try roomy.register(name: "a", path: path)
            let loaded = try AdapterRegistry(base: base).load(name: "a", path: path)
            #expect(listing.hash == loaded.hash)
            let lease = try roomy.lease(select("a"))
            #expect(lease.entries.count == 1)
            let small = registry(stored + 2 * 4 * 64 - 1)
            #expect {
                try small.register(name: "a", path: path)
            } throws: {
                if case .memoryExceeded(path, stored + 2 * 4 * 64, _)? = $0 as? AdapterError {
                    true
                } else {
                    false
                }
            }
        }
    }

    @Test func aMixThatNeverFitsIsRefusedAndOneThatDoesIsServed() throws {
        let names = ["a", "b"]
        for limit in [2 * byteCounts.reading, 2 * byteCounts.reading - 1] {
            let registry = registry(limit)
            for (seed, name) in names.enumerated() {
                try registry.register(name: name, path: path(name, seed: UInt64(seed)))
            }
            if limit < 2 * byteCounts.reading {
                #expect(
                    throws: AdapterError.memoryExceeded(
                        what: "adapters 'a', 'b'", byteCount: 2 * byteCounts.reading, limit: limit)
                ) { try registry.lease(select("a", "b")) }
            } else {
                #expect(try registry.lease(select("a", "b")).entries.count == 2)
            }
            #expect(registry.memory.byteCount <= limit)
        }
    }

    @Test func aRequestWaitsForMemoryThatAnotherHolds() async throws {
        let registry = registry(byteCounts.reading)
        for name in ["a", "b"] { try registry.register(name: name, path: path(name)) }
        let first = try registry.lease(select("a"))
        let second = ask(registry, "b")
        let third = ask(registry, "b")
        try await Task.sleep(for: .milliseconds(50))
        #expect(second.all.isEmpty)
        #expect(registry.memory.waitingCount == 2)
        #expect(registry.memory.byteCount <= byteCounts.reading)
        // Who waits holds nothing.
        #expect(registry.list().map(\.inUseCount) == [1, 0])
        first.release()
        let leases = [try await lease(second), try await lease(third)]
        #expect(leases[0].plan === leases[1].plan)
        #expect(registry.memory.waitingCount == 0)
        leases.forEach { $0.release() }
        #expect(registry.liveCounts == (0, 0))
    }

    @Test func whoNeedsNoMemoryOvertakesUpToALimit() async throws {
        let registry = registry(byteCounts.reading)
        for name in ["a", "b"] { try registry.register(name: name, path: path(name)) }
        let first = try registry.lease(select("a"))
        let waiting = ask(registry, "b")
        for _ in 0..<AdapterLimits.overtakingRequestCount {
            try registry.lease(select("a")).release()
        }
        let last = ask(registry, "a")
        let base = ask(registry)
        try await Task.sleep(for: .milliseconds(20))
        #expect(last.all.isEmpty)
        first.release()
        try await lease(waiting).release()
        try await lease(last).release()
        try await lease(base).release()
        #expect(registry.liveCounts == (0, 0))
    }

    @Test func loadingWaitsForMemory() async throws {
        let registry = registry(byteCounts.reading)
        let paths = [try path("a"), try path("b", seed: 4)]
        try registry.load(name: "a", path: paths[0])
        let lease = try registry.lease(select("a"))
        let loaded = Answers<String?>()
        Thread.detachNewThread {
            loaded.append(try? registry.load(name: "b", path: paths[1]).name)
        }
        try await wait { registry.memory.waitingCount == 1 }
        #expect(registry.list().map(\.name) == ["a"])
        lease.release()
        try await wait { !loaded.all.isEmpty }
        #expect(loaded.all == ["b"])
        #expect(registry.list().map(\.state) == [.idle, .attached])
    }

    @Test func contentThatANameHasLeftCountsUntilItsLastRequestEnds() async throws {
        let registry = registry(2 * byteCounts.reading)
        let paths = [try path("a"), try path("b", seed: 4)]
        try registry.load(name: "x", path: paths[0])
        let lease = try registry.lease(select("x"))
        try registry.load(name: "x", path: paths[1])
        #expect(registry.memory.byteCount == 2 * byteCounts.resident)
        #expect(registry.memory.residentCount == 1)
        lease.release()
        #expect(registry.memory.byteCount == byteCounts.resident)
        let other = try registry.lease(select("x"))
        let unloading = Task { try await registry.unload(name: "x") }
        try await wait { registry.list().isEmpty }
        #expect(registry.memory.byteCount == byteCounts.resident)
        other.release()
        try await unloading.value
        #expect(registry.memory.byteCount == 0)
    }

    @Test func mergedMatricesCountAndAreRefusedWhereTheyDontFit() throws {
        let roomy = registry(1 << 20)
        try roomy.load(name: "a", path: path("a"))
        try roomy.merge(name: "a")
        let merged = roomy.memory.mergedByteCount
        #expect(merged == 16 * 16 * 4)
        #expect(roomy.memory.byteCount == byteCounts.resident + merged)
        let lease = try roomy.lease(select("a"))
        try roomy.unmerge(name: "a")
        #expect(roomy.memory.mergedByteCount == merged)
        lease.release()
        #expect(roomy.memory.mergedByteCount == 0)

        let small = registry(byteCounts.reading + merged)
        try small.load(name: "a", path: path("a"))
        #expect {
            try small.merge(name: "a")
        } throws: {
            if case .memoryExceeded("merging adapter 'a'", _, _)? = $0 as? AdapterError {
                true
            } else {
                false
            }
        }
        #expect(small.memory.byteCount == byteCounts.resident)
        #expect(small.list()[0].inUseCount == 0)
    }

    @Test func aMergeThatRequestsLeaveNoRoomForIsRefusedForNow() throws {
        let merging = registry(1 << 20)
        try merging.load(name: "a", path: path("a"))
        let limit = byteCounts.reading + 4096
        let registry = registry(limit)
        var leases: [SelectionLease] = []
        try registry.register(name: "a", path: path("a"))
        for index in 0..<(4096 / byteCounts.resident) {
            let name = "n\(index)"
            try registry.register(name: name, path: path(name, seed: UInt64(index + 9)))
            guard registry.memory.byteCount + byteCounts.reading <= limit else { break }
            leases.append(try registry.lease(select(name)))
        }
        leases.removeLast()
        #expect {
            try registry.merge(name: "a")
        } throws: {
            if case .memoryInUse("merging adapter 'a'", _, _)? = $0 as? AdapterError {
                true
            } else {
                false
            }
        }
        leases.removeAll()
        #expect(try registry.merge(name: "a").state == .merged(weight: 1))
        #expect(
            "\(AdapterError.memoryInUse(what: "merging adapter 'a'", byteCount: 9, free: 8))"
                == "merging adapter 'a' takes up to 9 bytes of memory, and the adapters of requests in "
                + "flight leave 8: try again later, or give the server more with --adapter-memory")
    }

    /// - Returns: how many requests were answered.
    private static func work(
        _ registry: AdapterRegistry, _ names: [String], _ paths: [String], _ random: SplitMix
    ) -> Int {
        var generator = random
        var count = 0
        for _ in 0..<150 {
            let name = names[Int(generator.next() % 8)]
            let other = names[Int(generator.next() % 8)]
            let path = paths[Int(generator.next() % 8)]
            switch generator.next() % 12 {
            case 0: _ = try? registry.load(name: name, path: path)
            case 1: _ = try? registry.merge(name: name)
            case 2: _ = try? registry.unmerge(name: name)
            case 3:
                registry.unload(name: name) { _ in }
                _ = try? registry.register(name: name, path: path)
            default:
                let selection = Set([name, other]).map { SelectionEntry(name: $0) }
                if let lease = try? registry.lease(selection) { lease.release() }
                count += 1
            }
        }
        return count
    }

    /// Whatever is asked for at once, the bound holds, everyone is answered, and nothing is left.
    @Test func theBoundHoldsUnderConcurrentRequestsLoadsAndMerges() async throws {
        let limit = 3 * byteCounts.reading + 4096
        let registry = registry(limit)
        let names = (0..<8).map { "n\($0)" }
        var paths: [String] = []
        for (index, name) in names.enumerated() {
            paths.append(try path(name, seed: UInt64(index + 20)))
            try registry.register(name: name, path: paths[index])
        }
        let isOver = Mutex(false)
        let watch = Task.detached {
            var largest = 0
            while !isOver.withLock({ $0 }) { largest = max(largest, registry.memory.byteCount) }
            return largest
        }
        let allPaths = paths
        let counts = Answers<Int>()
        // Threads of their own: who waits here blocks, and may hold what another waits for.
        for worker in 0..<6 {
            Thread.detachNewThread {
                counts.append(
                    Self.work(registry, names, allPaths, SplitMix(state: UInt64(worker) + 7)))
            }
        }
        try await wait { counts.all.count == 6 }
        let answered = counts.all.reduce(0, +)
        isOver.withLock { $0 = true }
        #expect(answered > 300)
        #expect(await watch.value <= limit)
        try await wait { registry.memory.workByteCount == 0 }
        #expect(registry.liveCounts == (0, 0))
        #expect(registry.list().allSatisfy { $0.inUseCount == 0 })
        for name in registry.list().map(\.name) { try await registry.unload(name: name) }
        #expect(registry.memory.byteCount == 0)
    }
}
