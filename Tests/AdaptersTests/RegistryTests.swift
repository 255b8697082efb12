import Adapters
import Foundation
import StrictJSON
import Testing
import Transformer

@Suite struct AdapterRegistryTests {
    let directory: ScratchDirectory
    let registry: AdapterRegistry

    init() throws {
        directory = try ScratchDirectory()
        registry = AdapterRegistry(base: try TinyBase().open(in: directory).model)
    }

    private func load(_ name: String, seed: UInt64 = 3) throws {
        let path = try AdapterFixture.lora([AdapterFixture.query], seed: seed)
            .write(to: directory, name: "\(name)-\(seed)")
        try registry.load(name: name, path: path)
    }

    @Test func equalSelectionsShareOnePlan() throws {
        try load("law")
        try load("medicine", seed: 9)
        let mix = [
            SelectionEntry(name: "medicine", weight: -0.3),
            SelectionEntry(name: "law", weight: 0.7),
        ]
        let first = try registry.lease(mix)
        let second = try registry.lease(mix.reversed())
        #expect(first.plan === second.plan)
        #expect(first.key == second.key)
        #expect(first.entries.map(\.name) == ["law", "medicine"])
        #expect(try registry.lease([]).plan.isBase)
        #expect(try registry.lease([]).key == "")
    }

    /// By which requests take turns: no weight and no mix makes another.
    @Test func aLaneIsThatOfTheHeaviestAdapter() throws {
        try load("law")
        try load("medicine", seed: 9)
        func lease(_ weights: [(String, Float)]) throws -> SelectionLease {
            try registry.lease(weights.map { SelectionEntry(name: $0.0, weight: $0.1) })
        }
        let law = try lease([("law", 1)])
        let medicine = try lease([("medicine", 1)])
        #expect(law.lane == law.entries[0].hash && law.lane != medicine.lane)
        #expect(try lease([("law", 1.0001)]).lane == law.lane)
        #expect(try lease([("law", 1.0002)]).lane == law.lane)
        #expect(try lease([("law", 1), ("medicine", 0.0001)]).lane == law.lane)
        #expect(try lease([("law", 0.5), ("medicine", -0.7)]).lane == medicine.lane)
        #expect(try lease([("medicine", 0.5), ("law", 0.5)]).lane == law.lane)
        #expect(try lease([]).lane.isEmpty && lease([("law", 0)]).lane.isEmpty)
    }

    @Test func anAdapterAtWeightZeroAddsNothing() throws {
        try load("law")
        let lease = try registry.lease([SelectionEntry(name: "law", weight: 0)])
        #expect(lease.plan.isBase)
        #expect(lease.entries.map(\.name) == ["law"])
    }

    @Test func aRepointedNameServesOldLeasesFromTheOldContent() throws {
        try load("law", seed: 3)
        let old = try registry.lease([SelectionEntry(name: "law")])
        try load("law", seed: 4)
        let new = try registry.lease([SelectionEntry(name: "law")])
        #expect(old.entries[0].hash != new.entries[0].hash)
        #expect(old.plan !== new.plan)
        #expect(registry.list()[0].inUseCount == 2)
        old.release()
        new.release()
        #expect(registry.list()[0].inUseCount == 0)
    }

    @Test func unloadRefusesAtOnceAndWaitsForTheLastLease() async throws {
        try load("law")
        let lease = try registry.lease([SelectionEntry(name: "law")])
        let registry = registry
        let unload = Task { try await registry.unload(name: "law") }
        try await wait { registry.list().isEmpty }
        #expect(throws: AdapterError.unknownAdapter("law", loaded: [])) {
            try registry.lease([SelectionEntry(name: "law")])
        }
        // A new life of the name is independent of the one that is leaving.
        try load("law", seed: 8)
        let other = try registry.lease([SelectionEntry(name: "law")])
        lease.release()
        lease.release()
        try await unload.value
        #expect(registry.list()[0].inUseCount == 1)
        other.release()
        #expect(registry.liveCounts == (0, 0))
    }

    @Test func mergedMatricesAnswerExactlyTheirOwnSelection() throws {
        try load("law")
        try load("medicine", seed: 9)
        #expect(try registry.merge(name: "law", weight: 0.5).state == .merged(weight: 0.5))
        let merged = try registry.lease([SelectionEntry(name: "law", weight: 0.5)])
        #expect(merged.entries[0].merged)
        #expect(merged.key.hasSuffix(":merged"))
        #expect(try !registry.lease([SelectionEntry(name: "law")]).entries[0].merged)
        let mix = [SelectionEntry(name: "law", weight: 0.5), SelectionEntry(name: "medicine")]
        #expect(try registry.lease(mix).entries.allSatisfy { !$0.merged })
        #expect(try registry.unmerge(name: "law").state == .attached)
        #expect(try !registry.lease([SelectionEntry(name: "law", weight: 0.5)]).entries[0].merged)
        #expect(throws: AdapterError.notMerged("law")) { try registry.unmerge(name: "law") }
    }

    @Test func selectionsThatMeanNothingAreRefused() throws {
        try load("law")
        let prefix = try AdapterFixture.prefix().write(to: directory, name: "prefix")
        try registry.load(name: "style", path: prefix)
        #expect(throws: AdapterError.self) {
            try registry.lease([SelectionEntry(name: "law", weight: .nan)])
        }
        #expect(throws: AdapterError.invalidWeight(adapter: "law", weight: 1e6)) {
            try registry.lease([SelectionEntry(name: "law", weight: 1e6)])
        }
        #expect(throws: AdapterError.repeatedSelection("law")) {
            try registry.lease([SelectionEntry(name: "law"), SelectionEntry(name: "law")])
        }
        for weight in [Float(0), 0.5] {
            #expect(
                throws: AdapterError.combination(.weightOfPrefix(adapter: "style", weight: weight))
            ) { try registry.lease([SelectionEntry(name: "style", weight: weight)]) }
        }
        let both = try registry.lease([SelectionEntry(name: "law"), SelectionEntry(name: "style")])
        #expect(both.plan.prefixTokenCount == 3)
        #expect(
            throws: AdapterError.merge(
                .notWeightSpace(
                    adapter: "style", .prefix))
        ) {
            try registry.merge(name: "style", weight: 1)
        }
    }

    @Test(arguments: ["", "a/b", "..", "a b", "a\u{0}", "k=v", String(repeating: "x", count: 129)])
    func namesThatCantBeUsedAreRefused(name: String) {
        #expect {
            try registry.load(name: name, path: "/nowhere")
        } throws: {
            if case .invalidName(name, _)? = $0 as? AdapterError { true } else { false }
        }
    }

    @Test func tenThousandRandomOperationsLeaveNothingBehind() async throws {
        let paths = try (0..<4).map {
            try AdapterFixture.lora([AdapterFixture.query], seed: UInt64(20 + $0))
                .write(to: directory, name: "random-\($0)")
        }
        var generator = SplitMix(state: 42)
        var leases: [SelectionLease] = []
        var unloads: [Task<Void, any Error>] = []
        let names = ["a", "b", "c"]
        for _ in 0..<10_000 {
            let name = names[Int(generator.next() % 3)]
            switch generator.next() % 20 {
            case 0: try registry.load(name: name, path: paths[Int(generator.next() % 4)])
            case 1:
                let registry = registry
                unloads.append(Task { try? await registry.unload(name: name) })
            case 2: _ = try? registry.merge(name: name, weight: 1)
            case 3: _ = try? registry.unmerge(name: name)
            case 4..<12:
                let other = names[Int(generator.next() % 3)]
                var selection = [SelectionEntry(name: name, weight: 1)]
                if other != name { selection.append(SelectionEntry(name: other, weight: 0.5)) }
                if let lease = try? registry.lease(selection) { leases.append(lease) }
            default:
                guard !leases.isEmpty else { continue }
                let lease = leases.remove(at: Int(generator.next() % UInt64(leases.count)))
                if generator.next() % 2 == 0 { lease.release() }
            }
        }
        leases.removeAll()
        for unload in unloads { try await unload.value }
        #expect(registry.liveCounts == (0, 0))
        #expect(registry.list().allSatisfy { $0.inUseCount == 0 })
    }
}

/// A small reproducible generator.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
