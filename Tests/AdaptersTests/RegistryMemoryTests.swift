import Adapters
import Foundation
import Synchronization
import Testing
import Transformer

@Suite struct RegistryMemoryTests {
    let directory: ScratchDirectory
    /// Room for two of the fixture's adapters, the second of which is being read.
    let registry: AdapterRegistry
    let adapterByteCount: Int
    /// While it is read.
    let readingByteCount: Int

    init() throws {
        directory = try ScratchDirectory()
        let base = try TinyBase().open(in: directory).model
        let measuring = AdapterRegistry(base: base)
        let path = try AdapterFixture.lora([AdapterFixture.query]).write(
            to: directory, name: "measured")
        adapterByteCount = try measuring.load(name: "measured", path: path).byteCount
        readingByteCount = try measuring.memoryByteCounts(of: path).reading
        registry = AdapterRegistry(
            base: base,
            settings: .init(memoryByteCountLimit: adapterByteCount + readingByteCount))
    }

    private func path(_ name: String, seed: UInt64) throws -> String {
        try AdapterFixture.lora([AdapterFixture.query], seed: seed).write(to: directory, name: name)
    }

    private func register(_ names: [String]) throws {
        for (index, name) in names.enumerated() {
            try registry.register(name: name, path: path(name, seed: UInt64(index + 10)))
        }
    }

    private func lease(_ name: String) throws -> SelectionLease {
        try registry.lease([SelectionEntry(name: name)])
    }

    private var resident: [String] {
        registry.list().filter { $0.state != .idle }.map(\.name)
    }

    @Test func registeringReadsNoValuesAndTellsTheRest() throws {
        try register(["a"])
        let idle = registry.list()[0]
        #expect(idle.state == .idle)
        #expect(idle.byteCount == 0)
        #expect(idle.hash.isEmpty)
        try lease("a").release()
        let attached = registry.list()[0]
        #expect(attached.state == .attached)
        #expect(attached.byteCount == adapterByteCount)
        #expect(attached.hash.count == 64)
        #expect(idle.rank == attached.rank)
        #expect(idle.parameterCount == attached.parameterCount)
        #expect(idle.targets == attached.targets)
    }

    @Test func theLeastRecentlyUsedIsDroppedAndComesBackTheSame() throws {
        try register(["a", "b", "c"])
        let first = try lease("a")
        let hash = first.entries[0].hash
        first.release()
        try lease("b").release()
        try lease("a").release()
        try lease("c").release()
        #expect(resident == ["a", "c"])
        try lease("b").release()
        #expect(resident == ["b", "c"])
        let again = try lease("a")
        #expect(again.entries[0].hash == hash)
        #expect(again.key == first.key)
        #expect(registry.memory.loadCount == 5)
        #expect(registry.memory.dropCount == 3)
        #expect(registry.memory.byteCount == 2 * adapterByteCount)
    }

    @Test func adaptersInUseAreNeverDropped() throws {
        try register(["a", "b", "c"])
        let leases = try ["a", "b"].map { try lease($0) }
        #expect(resident == ["a", "b"])
        leases[0].release()
        try lease("c").release()
        #expect(resident == ["b", "c"])
        leases[1].release()
        #expect(registry.memory.byteCount == 2 * adapterByteCount)
    }

    @Test func manyWhoAskAtOnceReadItOnce() throws {
        try register(["a"])
        let leases = Mutex<[SelectionLease]>([])
        let group = DispatchGroup()
        for _ in 0..<64 {
            group.enter()
            registry.lease([SelectionEntry(name: "a")]) { outcome in
                if let lease = try? outcome.get() { leases.withLock { $0.append(lease) } }
                group.leave()
            }
        }
        group.wait()
        let all = leases.withLock { $0 }
        #expect(all.count == 64)
        #expect(all.allSatisfy { $0.plan === all[0].plan })
        #expect(registry.memory.loadCount == 1)
    }

    @Test func contentThatChangedWhileIdleIsRefusedUntilItIsBack() throws {
        try register(["a", "b", "c"])
        for name in ["a", "b", "c"] { try lease(name).release() }
        let file = directory.path + "/a"
        _ = try path("a", seed: 99)
        #expect(throws: AdapterError.changedSinceRegistered(name: "a", path: file)) {
            try lease("a")
        }
        #expect(
            "\(AdapterError.changedSinceRegistered(name: "a", path: "/x"))"
                == "/x: is not what it was when adapter 'a' was given to it: put the file back, "
                + "or load the adapter again")
        #expect(registry.list()[0].inUseCount == 0)
        _ = try path("a", seed: 10)
        #expect(try lease("a").entries[0].name == "a")
    }

    @Test func contentThatChangedBeforeItsFirstUseIsRefused() throws {
        try register(["a"])
        _ = try AdapterFixture.lora([AdapterFixture.query], rank: 3, seed: 4)
            .write(to: directory, name: "a")
        #expect(throws: AdapterError.changedSinceRegistered(name: "a", path: directory.path + "/a"))
        { try lease("a") }
    }

    @Test func filesThatVanishedOrShrankAreRefused() throws {
        try register(["a", "b", "c"])
        for name in ["a", "b", "c"] { try lease(name).release() }
        let tensors = directory.path + "/a/adapter_model.safetensors"
        let handle = try #require(FileHandle(forWritingAtPath: tensors))
        try handle.truncate(atOffset: 100)
        #expect(throws: AdapterError.self) { try lease("a") }
        try FileManager.default.removeItem(atPath: directory.path + "/a")
        #expect(throws: AdapterError.notFound(path: directory.path + "/a")) { try lease("a") }
        #expect(registry.list().count == 3)
    }

    @Test func whatTheHeaderRulesOutIsRefusedAtRegistration() throws {
        var fixture = AdapterFixture.lora([AdapterFixture.query])
        fixture.tensors.removeLast()
        let path = try fixture.write(to: directory, name: "half")
        #expect {
            try registry.register(name: "half", path: path)
        } throws: {
            if case .missingTensor? = $0 as? AdapterError { true } else { false }
        }
        #expect(registry.list().isEmpty)
    }

    @Test func unloadingWhileRequestsWaitEndsThem() async throws {
        try register(["a"])
        let lease = try lease("a")
        let registry = registry
        let isUnloaded = Mutex(false)
        registry.unload(name: "a") { _ in isUnloaded.withLock { $0 = true } }
        #expect(registry.list().isEmpty)
        #expect(!isUnloaded.withLock { $0 })
        lease.release()
        #expect(isUnloaded.withLock { $0 })
        #expect(registry.memory.byteCount == 0)
        #expect(registry.liveCounts == (0, 0))
    }

    /// Whether a name goes before, while or after its adapter is read: who waits is answered by it,
    /// then the unloading ends, and nothing stays in memory.
    @Test func unloadingDuringALoadWaitsForWhoCameBefore() async throws {
        let adapter = try path("a", seed: 3)
        for _ in 0..<100 {
            try registry.register(name: "a", path: adapter)
            let leases = AsyncStream<Result<SelectionLease, AdapterError>>.makeStream()
            registry.lease([SelectionEntry(name: "a")]) { leases.continuation.yield($0) }
            let registry = registry
            async let unloaded: Void = registry.unload(name: "a")
            switch await leases.stream.first(where: { _ in true }) {
            case .success(let lease): lease.release()
            case .failure(let error): Issue.record("\(error)")
            case nil: Issue.record("no answer")
            }
            try await unloaded
            #expect(registry.list().isEmpty)
        }
        #expect(registry.liveCounts == (0, 0))
        #expect(registry.memory.byteCount == 0)
    }

    @Test func aNameWithAnotherLifeDuringALoadAnswersFromTheFirst() async throws {
        let paths = [try path("old", seed: 3), try path("new", seed: 4)]
        let hashes = try paths.map { path in
            try AdapterRegistry(base: registry.base).load(name: "a", path: path).hash
        }
        for _ in 0..<100 {
            try registry.register(name: "a", path: paths[0])
            let leases = AsyncStream<Result<SelectionLease, AdapterError>>.makeStream()
            registry.lease([SelectionEntry(name: "a")]) { leases.continuation.yield($0) }
            registry.unload(name: "a") { _ in }
            try registry.register(name: "a", path: paths[1])
            switch await leases.stream.first(where: { _ in true }) {
            case .success(let lease): #expect(lease.entries[0].hash == hashes[0])
            case .failure(let error): Issue.record("\(error)")
            case nil: Issue.record("no answer")
            }
            #expect(try lease("a").entries[0].hash == hashes[1])
            try await registry.unload(name: "a")
        }
        #expect(registry.liveCounts == (0, 0))
    }

    @Test func aHotMergeThatFailsIsReportedOnce() async throws {
        let failures = Mutex<[String]>([])
        let hot = AdapterRegistry(
            base: registry.base,
            settings: .init(mergeShare: 0.6) { entry, error in
                failures.withLock { $0.append("\(entry.name): \(error)") }
            })
        let prefix = try AdapterFixture.prefix().write(to: directory, name: "prefix")
        try hot.load(name: "style", path: prefix)
        try await wait {
            try hot.lease([SelectionEntry(name: "style")]).release()
            return failures.withLock { !$0.isEmpty }
        }
        for _ in 0..<300 { try hot.lease([SelectionEntry(name: "style")]).release() }
        let reason = MergeError.notWeightSpace(adapter: "style", .prefix)
        #expect(failures.withLock { $0 } == ["style: \(reason)"])
        #expect(hot.list()[0].state == .attached)
    }

    @Test func trafficMergesAnAdapterAndDropsItAgain() async throws {
        let hot = AdapterRegistry(base: registry.base, settings: .init(mergeShare: 0.6))
        try hot.register(name: "a", path: path("a", seed: 3))
        let ask: (Bool) async throws -> Void = { isMerged in
            for _ in 0..<2000 {
                let lease = try hot.lease(isMerged ? [SelectionEntry(name: "a")] : [])
                lease.release()
                if (hot.list()[0].state == .merged(weight: 1)) == isMerged { return }
                await Task.yield()
            }
        }
        try await ask(true)
        try await wait { hot.list()[0].state == .merged(weight: 1) }
        let merged = try hot.lease([SelectionEntry(name: "a")])
        #expect(merged.entries[0].merged)
        #expect(merged.key.hasSuffix(":merged"))
        try await ask(false)
        try await wait { hot.list()[0].state != .merged(weight: 1) }
        #expect(merged.entries[0].merged)
        #expect(try !hot.lease([SelectionEntry(name: "a")]).entries[0].merged)
    }

    @Test func aHotAdapterThatGetsOtherContentIsMergedAgain() async throws {
        let hot = AdapterRegistry(base: registry.base, settings: .init(mergeShare: 0.6))
        var hashes: Set<String> = []
        for seed: UInt64 in [3, 4] {
            try hot.load(name: "a", path: path("a\(seed)", seed: seed))
            #expect(hot.list()[0].state == .attached)
            for _ in 0..<2000 where hot.list()[0].state != .merged(weight: 1) {
                try hot.lease([SelectionEntry(name: "a")]).release()
                try await Task.sleep(for: .milliseconds(1))
            }
            #expect(hot.list()[0].state == .merged(weight: 1))
            hashes.insert(hot.list()[0].hash)
        }
        #expect(hashes.count == 2)
    }

    @Test func companyKeepsAnAdapterFromBeingMergedWhereCostsAreWeighed() async throws {
        let weighing = AdapterRegistry(
            base: registry.base, settings: .init(mergeShare: 0.6, mergesOnlyWhatPays: true))
        for name in ["a", "b"] {
            try weighing.register(name: name, path: path(name, seed: name == "a" ? 3 : 4))
        }
        let other = try weighing.lease([SelectionEntry(name: "b")])
        for _ in 0..<300 { try weighing.lease([SelectionEntry(name: "a")]).release() }
        #expect(weighing.list().map(\.state) == [.attached, .attached])
        other.release()
        try await wait {
            try weighing.lease([SelectionEntry(name: "a")]).release()
            return weighing.list()[0].state == .merged(weight: 1)
        }
    }
}
