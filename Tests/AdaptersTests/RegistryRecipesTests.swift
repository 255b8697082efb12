import Adapters
import Checkpoints
import StrictJSON
import Testing
import Transformer

/// Adapters of every kind as names of a directory: one of each recipe is read for the check, and
/// none stays in memory before it is asked for.
@Suite struct RegistryRecipesTests {
    let directory: ScratchDirectory
    let base: BaseModel

    init() throws {
        directory = try ScratchDirectory()
        base = try TinyBase().open(in: directory).model
    }

    /// The fixture's adapter with other values.
    private func variant(_ fixture: WeightMethodFixture, scale: Float) -> AdapterFixture {
        var adapter = fixture.adapter
        let last = adapter.tensors.count - 1
        for index in adapter.tensors[last].values.indices {
            adapter.tensors[last].values[index] *= scale
        }
        return adapter
    }

    private func register(
        _ registry: AdapterRegistry, _ name: String, _ adapter: AdapterFixture
    ) throws {
        try registry.register(name: name, path: adapter.write(to: directory, name: name))
    }

    /// Whether a tensor is the base's own its values say, and with them the warnings.
    @Test func tensorsThatNoSettingNamesAreReadForEachAdapter() throws {
        let registry = AdapterRegistry(base: base)
        var adapter = AdapterFixture.lora([AdapterFixture.query])
        adapter.tensors.append(FloatTensor("base_model.model.model.norm.weight", [16]))
        adapter.tensors[2].values = base.gain(at: .final)
        try register(registry, "a", adapter)
        adapter.tensors[2].values[3] += 1
        try register(registry, "b", adapter)
        #expect(registry.list().map(\.warnings.count) == [0, 1])
    }

    @Test(arguments: WeightMethodFixture.all)
    func adaptersOfOneRecipeAreKnownWithoutTheirValues(fixture: WeightMethodFixture) throws {
        let registry = AdapterRegistry(base: base)
        for (name, scale) in [("a", Float(1)), ("b", 0.5), ("c", 0.25)] {
            try register(registry, name, variant(fixture, scale: scale))
        }
        #expect(registry.memory.residentCount == 0)
        #expect(registry.memory.loadCount == 0)
        let known = registry.list()
        #expect(known.map { $0.hash.isEmpty } == [false, true, true])
        var hashes: Set<String> = []
        for name in ["a", "b", "c", "b"] {
            let lease = try registry.lease([SelectionEntry(name: name)])
            hashes.insert(lease.entries[0].hash)
            #expect(registry.memory.residentCount == 1)
            lease.release()
            registry.dropIdle()
            #expect(registry.memory.residentCount == 0)
        }
        #expect(hashes.count == 3)
        #expect(registry.memory.loadCount == 4)
        #expect(registry.memory.dropCount == 4)
        for (before, after) in zip(known, registry.list()) {
            #expect(before.parameterCount == after.parameterCount)
            #expect(before.targets == after.targets && before.rank == after.rank)
            #expect(before.peftType == fixture.type)
        }
    }

    @Test func prefixesAndSavedModulesAreIdleAsWell() throws {
        let registry = AdapterRegistry(base: base)
        try register(registry, "prefix", AdapterFixture.prefix())
        var saved = AdapterFixture.lora(
            [AdapterFixture.query], ["modules_to_save": .array([.string("lm_head")])])
        saved.tensors.append(FloatTensor("base_model.model.lm_head.weight", [32, 16]))
        try register(registry, "saved", saved)
        #expect(registry.list().allSatisfy { $0.state == .idle && !$0.hash.isEmpty })
        #expect(try registry.lease([SelectionEntry(name: "prefix")]).plan.prefixTokenCount == 3)
        try registry.lease([SelectionEntry(name: "saved")]).release()
        #expect(registry.memory.residentCount == 2)
    }

    @Test func anotherRecipeIsCheckedByItself() throws {
        let registry = AdapterRegistry(base: base)
        let fixture = WeightMethodFixture.all[0].adapter
        try register(registry, "good", fixture)
        var short = fixture
        short.tensors[1] = FloatTensor(short.tensors[1].name, [2, 12])
        #expect {
            try register(registry, "short", short)
        } throws: {
            if case .wrongShape? = $0 as? AdapterError { true } else { false }
        }
        var other = fixture
        other.configuration["r"] = .integer(3)
        #expect(throws: AdapterError.self) { try register(registry, "other", other) }
        #expect(registry.list().map(\.name) == ["good"])
    }

    @Test func wrongValuesOfALaterOneAreRefusedAtItsFirstUse() throws {
        let registry = AdapterRegistry(base: base)
        let fixture = WeightMethodFixture.all[0].adapter
        try register(registry, "good", fixture)
        var bad = fixture
        bad.tensors[0].values[3] = .infinity
        try register(registry, "bad", bad)
        #expect {
            try registry.lease([SelectionEntry(name: "bad")])
        } throws: {
            if case .notFinite? = $0 as? AdapterError { true } else { false }
        }
        #expect(registry.list().allSatisfy { $0.inUseCount == 0 })
    }

    @Test func contentThatChangedBeforeItsFirstUseIsRefused() throws {
        let registry = AdapterRegistry(base: base)
        let fixture = WeightMethodFixture.all[0]
        for name in ["a", "b"] { try register(registry, name, fixture.adapter) }
        for name in ["a", "b"] {
            _ = try variant(fixture, scale: 3).write(to: directory, name: name)
            #expect(
                throws: AdapterError.changedSinceRegistered(
                    name: name, path: directory.path + "/" + name)
            ) { try registry.lease([SelectionEntry(name: name)]) }
        }
    }

    @Test func warningsNameTheAdapterThatTheyAreOf() throws {
        let registry = AdapterRegistry(base: base)
        var fixture = WeightMethodFixture.all[0].adapter
        fixture.configuration["colour"] = .string("blue")
        for name in ["a", "b"] { try register(registry, name, fixture) }
        for listing in registry.list() {
            let warning = try #require(listing.warnings.first)
            #expect(warning.hasPrefix(directory.path + "/" + listing.name + "/"), "\(warning)")
        }
    }

    @Test func aGGUFIsAsIdleAsADirectory() throws {
        let registry = AdapterRegistry(base: base)
        let fixture = AdapterFixture.lora([AdapterFixture.query])
        let path = try fixture.write(to: directory, name: "source")
        let output = directory.path + "/a.gguf"
        _ = try AdapterConversion(from: path, basePath: directory.path + "/base")
            .write(as: .gguf, to: output)
        try registry.register(name: "a", path: output)
        let idle = registry.list()[0]
        #expect(idle.state == .idle && idle.hash.isEmpty && idle.rank == 2)
        try registry.lease([SelectionEntry(name: "a")]).release()
        let attached = registry.list()[0]
        #expect(attached.targets == idle.targets && attached.hash.count == 64)
        #expect(attached.parameterCount == idle.parameterCount)
    }
}
