import Adapters
import Foundation
import Testing
import Transformer

/// A request is answered by what its names meant when it came, or given up, however long it waits.
@Suite struct RegistryClaimsTests {
    let directory: ScratchDirectory
    let base: BaseModel
    /// Of a fixture's adapter, when it is there and while it is read.
    let byteCounts: (resident: Int, reading: Int)
    let gate = ReadGate()

    init() throws {
        directory = try ScratchDirectory()
        base = try TinyBase().open(in: directory).model
        let path = try AdapterFixture.lora([AdapterFixture.query]).write(
            to: directory, name: "measured")
        byteCounts = try AdapterRegistry(base: base).memoryByteCounts(of: path)
    }

    private func registry(_ limit: Int? = nil) -> AdapterRegistry {
        var settings = AdapterRegistry.Settings(memoryByteCountLimit: limit)
        settings.willRead = { [gate] in gate.pass($0) }
        return AdapterRegistry(base: base, settings: settings)
    }

    @discardableResult
    private func path(_ name: String, seed: UInt64) throws -> String {
        try AdapterFixture.lora([AdapterFixture.query], seed: seed).write(to: directory, name: name)
    }

    private func hash(_ path: String) throws -> String {
        try AdapterRegistry(base: base).load(name: "a", path: path).hash
    }

    private struct Asked {
        let answers: Answers<Result<SelectionLease, AdapterError>>
        let pending: PendingLease

        var isAnswered: Bool { !answers.all.isEmpty }

        func lease() async throws -> SelectionLease {
            try await wait { isAnswered }
            return try #require(answers.all.first).get()
        }

        func failure() async throws -> AdapterError? {
            try await wait { isAnswered }
            if case .failure(let error)? = answers.all.first { return error }
            return nil
        }
    }

    private func ask(_ registry: AdapterRegistry, _ names: String...) -> Asked {
        let answers = Answers<Result<SelectionLease, AdapterError>>()
        let pending = registry.lease(names.map { SelectionEntry(name: $0) }) { answers.append($0) }
        return Asked(answers: answers, pending: pending)
    }

    private func lease(_ registry: AdapterRegistry, _ name: String) throws -> SelectionLease {
        try registry.lease([SelectionEntry(name: name)])
    }

    private func expectNothingLeft(
        _ registry: AdapterRegistry, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await wait(sourceLocation: sourceLocation) { registry.memory.workByteCount == 0 }
        #expect(registry.liveCounts == (0, 0), sourceLocation: sourceLocation)
        #expect(registry.memory.waitingCount == 0, sourceLocation: sourceLocation)
        #expect(
            registry.list().allSatisfy { $0.inUseCount == 0 }, sourceLocation: sourceLocation)
        for name in registry.list().map(\.name) { try await registry.unload(name: name) }
        #expect(registry.memory.byteCount == 0, sourceLocation: sourceLocation)
        #expect(registry.memory.residentCount == 0, sourceLocation: sourceLocation)
        #expect(registry.memory.idleCount == 0, sourceLocation: sourceLocation)
    }

    // MARK: What a name means

    @Test func whoWaitsForMemoryGetsWhatTheNameMeantThen() async throws {
        let registry = registry(byteCounts.reading)
        let paths = try [path("old", seed: 3), path("new", seed: 4)]
        try registry.register(name: "a", path: path("a", seed: 5))
        try registry.register(name: "x", path: paths[0])
        let holding = try lease(registry, "a")
        let before = [ask(registry, "x"), ask(registry, "x")]
        try registry.register(name: "x", path: paths[1])
        let after = ask(registry, "x")
        #expect(registry.list().map(\.name) == ["a", "x"])
        #expect(registry.memory.totalCount == 2)
        holding.release()
        for asked in before {
            let lease = try await asked.lease()
            #expect(try lease.entries[0].hash == hash(paths[0]))
            #expect(lease.entries[0].name == "x")
            lease.release()
        }
        let lease = try await after.lease()
        #expect(try lease.entries[0].hash == hash(paths[1]))
        lease.release()
        try await expectNothingLeft(registry)
    }

    @Test func unloadingANameWaitsForThoseWhoCameBefore() async throws {
        let registry = registry(byteCounts.reading)
        for (name, seed) in [("a", 3), ("b", 4), ("c", 5)] as [(String, UInt64)] {
            try registry.register(name: name, path: path(name, seed: seed))
        }
        let holding = try lease(registry, "a")
        let waiting = [ask(registry, "b"), ask(registry, "c"), ask(registry, "b")]
        let unloaded = Answers<Bool>()
        registry.unload(name: "b") { _ in unloaded.append(true) }
        #expect(registry.list().map(\.name) == ["a", "c"])
        #expect(try await ask(registry, "b").failure() == .unknownAdapter("b", loaded: ["a", "c"]))
        // Another life of the name is none of theirs.
        try registry.register(name: "b", path: path("new", seed: 6))
        holding.release()
        for asked in waiting {
            #expect(unloaded.all.isEmpty)
            let lease = try await asked.lease()
            if lease.entries[0].name == "b" {
                #expect(try lease.entries[0].hash == hash(directory.path + "/b"))
            }
            lease.release()
        }
        try await wait { unloaded.all == [true] }
        try await expectNothingLeft(registry)
    }

    /// The file has other bytes by then; what is in memory need not be read again.
    @Test(arguments: [false, true])
    func whatWasInMemoryAnswersThoseWhoCameBefore(isInUse: Bool) async throws {
        let registry = registry(2 * byteCounts.resident + byteCounts.reading - 1)
        try registry.load(name: "x", path: path("x", seed: 3))
        let old = try hash(directory.path + "/x")
        for (name, seed) in [("b", 4), ("c", 5)] as [(String, UInt64)] {
            try registry.register(name: name, path: path(name, seed: seed))
        }
        let holding = try lease(registry, "c")
        let using = isInUse ? try lease(registry, "x") : nil
        let asked = ask(registry, "b", "x")
        #expect(!asked.isAnswered)
        try path("x", seed: 6)
        try registry.register(name: "x", path: directory.path + "/x")
        using?.release()
        holding.release()
        let lease = try await asked.lease()
        #expect(lease.entries.map(\.name) == ["b", "x"])
        #expect(lease.entries[1].hash == old)
        lease.release()
        #expect(registry.memory.totalCount == 3)
        try await expectNothingLeft(registry)
    }

    @Test func contentOfARepointedNameIsDroppedForOthersWhileItIsAwaited() async throws {
        let registry = registry(byteCounts.resident + 2 * byteCounts.reading - 1)
        try registry.load(name: "x", path: path("x", seed: 3))
        for (name, seed) in [("b", 4), ("c", 5), ("d", 6)] as [(String, UInt64)] {
            try registry.register(name: name, path: path(name, seed: seed))
        }
        let holding = try lease(registry, "c")
        // Needs all that there is, and stands before the one that keeps a part of it.
        let first = ask(registry, "b", "d")
        let second = ask(registry, "x", "b")
        try registry.register(name: "x", path: path("new", seed: 7))
        #expect(!first.isAnswered && !second.isAnswered)
        holding.release()
        try await first.lease().release()
        let lease = try await second.lease()
        #expect(try lease.entries[1].hash == hash(directory.path + "/x"))
        lease.release()
        try await expectNothingLeft(registry)
    }

    @Test(arguments: ["register", "unload"])
    func whatIsBeingReadAnswersThoseWhoAskedForIt(change: String) async throws {
        let registry = registry()
        let paths = try [path("old", seed: 3), path("new", seed: 4)]
        try registry.register(name: "x", path: paths[0])
        gate.close(paths[0])
        let asked = ask(registry, "x")
        try await wait { gate.arrivalCount == 1 }
        let unloaded = Answers<Bool>()
        if change == "unload" { registry.unload(name: "x") { _ in unloaded.append(true) } }
        try registry.register(name: "x", path: paths[1])
        #expect(try lease(registry, "x").entries[0].hash == hash(paths[1]))
        #expect(!asked.isAnswered)
        gate.open()
        let lease = try await asked.lease()
        #expect(try lease.entries[0].hash == hash(paths[0]))
        #expect(unloaded.all.isEmpty)
        lease.release()
        if change == "unload" { try await wait { unloaded.all == [true] } }
        try await expectNothingLeft(registry)
    }

    @Test func aMergeOfANameThatGotOtherContentMeanwhileIsRefused() async throws {
        let registry = registry()
        let paths = try [path("old", seed: 3), path("new", seed: 4)]
        try registry.register(name: "x", path: paths[0])
        gate.close(paths[0])
        let outcome = Answers<AdapterError?>()
        Thread.detachNewThread {
            do throws(AdapterError) {
                try registry.merge(name: "x")
                outcome.append(nil)
            } catch { outcome.append(error) }
        }
        try await wait { gate.arrivalCount == 1 }
        try registry.load(name: "x", path: paths[1])
        gate.open()
        try await wait { !outcome.all.isEmpty }
        #expect(outcome.all == [.replacedMeanwhile("x")])
        try await expectNothingLeft(registry)
    }

    // MARK: Given up

    @Test func whoGivesUpWaitingMakesWayForOthers() async throws {
        let registry = registry(2 * byteCounts.reading)
        for (name, seed) in [("a", 3), ("b", 4), ("c", 5), ("d", 6)] as [(String, UInt64)] {
            try registry.register(name: name, path: path(name, seed: seed))
        }
        let holding = try lease(registry, "a")
        let large = ask(registry, "b", "c")
        let small = ask(registry, "d")
        #expect(registry.memory.waitingCount == 2)
        #expect(!small.isAnswered)
        large.pending.cancel()
        #expect(try await large.failure() == .cancelled)
        large.pending.cancel()
        #expect(large.answers.all.count == 1)
        try await small.lease().release()
        holding.release()
        #expect(registry.memory.loadCount == 2)
        #expect(
            "\(AdapterError.cancelled)" == "the request was given up before its adapters were there"
        )
        try await expectNothingLeft(registry)
    }

    @Test func theLastWhoGivesUpLetsFormerContentGo() async throws {
        let registry = registry(byteCounts.reading)
        try registry.register(name: "a", path: path("a", seed: 3))
        try registry.register(name: "x", path: path("x", seed: 4))
        let holding = try lease(registry, "a")
        let waiting = [ask(registry, "x"), ask(registry, "x")]
        let unloaded = Answers<Bool>()
        registry.unload(name: "x") { _ in unloaded.append(true) }
        waiting[1].pending.cancel()
        #expect(unloaded.all.isEmpty)
        waiting[0].pending.cancel()
        #expect(unloaded.all == [true])
        #expect(waiting.allSatisfy { $0.isAnswered })
        holding.release()
        #expect(registry.memory.loadCount == 1)
        try await expectNothingLeft(registry)
    }

    @Test func whatIsBeingReadGoesToThoseWhoStillWantIt() async throws {
        let registry = registry()
        let adapter = try path("x", seed: 3)
        try registry.register(name: "x", path: adapter)
        gate.close(adapter)
        let asked = [ask(registry, "x"), ask(registry, "x"), ask(registry, "x")]
        try await wait { gate.arrivalCount == 1 }
        #expect(registry.list()[0].inUseCount == 3)
        for index in [0, 2] {
            asked[index].pending.cancel()
            #expect(asked[index].isAnswered)
        }
        #expect(registry.list()[0].inUseCount == 1)
        gate.open()
        let lease = try await asked[1].lease()
        #expect(registry.memory.loadCount == 1)
        // It is there: giving it up has no meaning any more.
        asked[1].pending.cancel()
        #expect(asked[1].answers.all.count == 1)
        #expect(registry.list()[0].inUseCount == 1)
        lease.release()
        try await expectNothingLeft(registry)
    }

    @Test func whatNobodyWantsAnyMoreIsNotReadWhenItsTurnComes() async throws {
        let registry = registry()
        let paths = try (0..<5).map { try path("n\($0)", seed: UInt64($0 + 3)) }
        for (index, adapter) in paths.enumerated() {
            try registry.register(name: "n\(index)", path: adapter)
            if index < 4 { gate.close(adapter) }
        }
        let reading = (0..<4).map { ask(registry, "n\($0)") }
        try await wait { gate.arrivalCount == 4 }
        // Four are being read: the fifth waits for its turn.
        let last = ask(registry, "n4")
        last.pending.cancel()
        #expect(try await last.failure() == .cancelled)
        gate.open()
        for asked in reading { try await asked.lease().release() }
        try await wait { registry.memory.workByteCount == 0 }
        #expect(registry.memory.loadCount == 4)
        #expect(registry.list()[4].state == .idle)
        try lease(registry, "n4").release()
        try await expectNothingLeft(registry)
    }

    // MARK: The lock

    /// Whoever looks at a file doesn't hold the registry meanwhile.
    @Test func theRegistryAnswersWhileAdaptersAreRead() async throws {
        let registry = registry()
        let slow = try path("slow", seed: 3)
        let quick = try path("quick", seed: 4)
        try registry.load(name: "there", path: path("there", seed: 5))
        try registry.register(name: "idle", path: slow)
        gate.close(slow)
        let asked = ask(registry, "idle")
        let loaded = Answers<Bool>()
        let registered = Answers<Bool>()
        Thread.detachNewThread {
            loaded.append((try? registry.load(name: "loaded", path: slow)) != nil)
        }
        Thread.detachNewThread {
            registered.append((try? registry.register(name: "registered", path: slow)) != nil)
        }
        try await wait { gate.arrivalCount == 3 }
        let over = Answers<Int>()
        Thread.detachNewThread {
            let count = registry.list().count + registry.memory.residentCount
            try? registry.lease([SelectionEntry(name: "there")]).release()
            _ = try? registry.merge(name: "there")
            _ = try? registry.load(name: "other", path: quick)
            registry.unload(name: "other") { _ in }
            over.append(count)
        }
        try await wait { !over.all.isEmpty }
        #expect(over.all == [3])
        #expect(registry.list().map(\.name) == ["idle", "there"])
        #expect(!asked.isAnswered && loaded.all.isEmpty && registered.all.isEmpty)
        gate.open()
        try await asked.lease().release()
        try await wait { loaded.all == [true] && registered.all == [true] }
        try await expectNothingLeft(registry)
    }
}
