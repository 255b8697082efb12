import Adapters
import Checkpoints
import Foundation
import Kernels
import StrictJSON
import Testing
import Transformer

/// Adapters whose configuration and header are known come back by their values alone, and are what
/// reading all of them anew makes of them.
@Suite struct KnownFilesTests {
    let directory: ScratchDirectory
    let base: BaseModel

    private static let modules = [
        AdapterFixture.query, "model.layers.1.mlp.down_proj", "lm_head",
    ]

    init() throws {
        directory = try ScratchDirectory()
        base = try TinyBase().open(in: directory).model
    }

    /// A registry that keeps no adapter that isn't in use.
    private func registry(_ type: UpdateType = .file) -> AdapterRegistry {
        AdapterRegistry(
            base: base, options: AdapterOptions(updateType: type))
    }

    /// What a lease of the adapter finds in memory; it is dropped afterwards.
    private func lent(_ name: String, by registry: AdapterRegistry) throws -> LoadedAdapter {
        let lease = try registry.lease([SelectionEntry(name: name)])
        defer {
            lease.release()
            registry.dropIdle()
        }
        return try #require(registry.resident(name))
    }

    private func readWhole(_ path: String, _ type: UpdateType) throws -> LoadedAdapter {
        try AdapterReader.read(
            name: "whole", path: path, slots: base.slots, base: base,
            options: AdapterOptions(updateType: type), pool: TinyBase.pool)
    }

    /// Everything that a low-rank adapter is, to be compared.
    private struct Products: Equatable {
        struct Product: Equatable {
            let types: [WeightType]
            let a, b: [Float]
            let scaling: Float
        }

        var products: [LinearSlot: Product] = [:]

        init(_ adapter: LoadedAdapter) {
            for (slot, list) in adapter.operators.linear {
                guard list.count == 1, case .lowRank(let lowRank) = list[0] else { continue }
                var a = [Float](repeating: 0, count: lowRank.a.outputCount * lowRank.a.inputCount)
                var b = [Float](repeating: 0, count: lowRank.b.outputCount * lowRank.b.inputCount)
                a.withUnsafeMutableBufferPointer { lowRank.a.unpack(into: $0.baseAddress!) }
                b.withUnsafeMutableBufferPointer {
                    lowRank.b.unpack(into: $0.baseAddress!, pool: nil)
                }
                products[slot] = Product(
                    types: [lowRank.a.type, lowRank.b.type], a: a, b: b, scaling: lowRank.scaling)
            }
        }
    }

    private static let settings: [JSONObject] = [
        [:], ["use_rslora": .bool(true)],
        [
            "alpha_pattern": .object(["q_proj": .integer(7)]),
            "rank_pattern": .object(["lm_head": .integer(2)]),
        ],
    ]

    @Test(arguments: [ElementType.f32, .bf16, .f16], settings)
    func whatComesBackIsWhatIsThere(type: ElementType, extra: JSONObject) throws {
        var fixture = AdapterFixture.lora(Self.modules, rank: 2, extra)
        for index in fixture.tensors.indices { fixture.tensors[index].type = type }
        let path = try fixture.write(to: directory, name: "a")
        _ = try AdapterPacking.pack(from: path, to: directory.path + "/a.lora")
        for path in [path, path + ".lora"] {
            for update in [UpdateType.file, .bf16] {
                let expected = try readWhole(path, update)
                #expect(Products(expected).products.count == 3)
                let registered = registry(update)
                try registered.register(name: "a", path: path)
                let loaded = registry(update)
                try loaded.load(name: "a", path: path)
                loaded.dropIdle()
                for registry in [registered, loaded] {
                    for _ in 0..<2 {
                        let adapter = try lent("a", by: registry)
                        #expect(adapter.isFromKnownFiles)
                        #expect(Products(adapter) == Products(expected))
                        #expect(adapter.hash == expected.hash)
                        #expect(adapter.byteCount == expected.byteCount)
                        #expect(adapter.rank == expected.rank)
                        #expect(adapter.parameterCount == expected.parameterCount)
                        #expect(adapter.targets == expected.targets)
                    }
                }
            }
        }
    }

    @Test func adaptersOfOneRecipeKeepTheirOwnValues() throws {
        let registry = registry()
        for seed: UInt64 in 1...5 {
            let path = try AdapterFixture.lora(Self.modules, seed: seed)
                .write(to: directory, name: "\(seed)")
            try registry.register(name: "\(seed)", path: path)
        }
        for seed in [1, 5, 3, 1, 2, 4, 5] {
            let adapter = try lent("\(seed)", by: registry)
            #expect(adapter.isFromKnownFiles)
            let expected = try readWhole(directory.path + "/\(seed)", .file)
            #expect(Products(adapter) == Products(expected))
            #expect(adapter.hash == expected.hash)
        }
    }

    /// More than products of stored matrices: all of it is read again.
    @Test(
        arguments: [
            ["bias": .string("all")], ["use_dora": .bool(true)], ["lora_bias": .bool(true)],
            ["modules_to_save": .array([.string("lm_head")])],
        ] as [JSONObject])
    func otherAdaptersAreReadWhole(extra: JSONObject) throws {
        var fixture = AdapterFixture.lora([AdapterFixture.query], extra)
        let module = "base_model.model." + AdapterFixture.query
        if extra["use_dora"] != nil {
            fixture.tensors.append(FloatTensor(module + ".lora_magnitude_vector", [16]))
        }
        if extra["lora_bias"] != nil {
            fixture.tensors.append(FloatTensor(module + ".lora_B.bias", [16]))
        }
        if extra["modules_to_save"] != nil {
            fixture.tensors.append(FloatTensor("base_model.model.lm_head.weight", [32, 16]))
        }
        let registry = registry()
        let path = try fixture.write(to: directory, name: "a")
        try registry.register(name: "a", path: path)
        let expected = try readWhole(path, .file)
        for _ in 0..<2 {
            let adapter = try lent("a", by: registry)
            // A setting alone changes nothing: without biases there is nothing but products.
            #expect(adapter.isFromKnownFiles == (extra["bias"] != nil))
            #expect(adapter.hash == expected.hash)
            #expect(adapter.byteCount == expected.byteCount)
        }
    }

    @Test func wrongValuesAreRefusedAtTheFirstUse() throws {
        let registry = registry()
        for (name, value) in [("good", Float(1)), ("bad", .nan)] {
            var fixture = AdapterFixture.lora([AdapterFixture.query])
            fixture.tensors[1].values[3] = value
            let path = try fixture.write(to: directory, name: name)
            try registry.register(name: name, path: path)
        }
        #expect(try lent("good", by: registry).isFromKnownFiles)
        #expect {
            try registry.lease([SelectionEntry(name: "bad")])
        } throws: {
            if case .notFinite? = $0 as? AdapterError { true } else { false }
        }
    }

    /// Spelled in another way, it is the same adapter.
    @Test func theSameSettingsInOtherWordsAreReadAnew() throws {
        let fixture = AdapterFixture.lora([AdapterFixture.query])
        let registry = registry()
        let path = try fixture.write(to: directory, name: "a")
        try registry.register(name: "a", path: path)
        let before = try lent("a", by: registry)
        var turned = fixture
        turned.configuration = JSONObject()
        for (key, value) in fixture.configuration.reversed() { turned.configuration[key] = value }
        try turned.write(to: directory, name: "a")
        let after = try lent("a", by: registry)
        #expect(before.isFromKnownFiles && !after.isFromKnownFiles)
        #expect(after.hash == before.hash)
        #expect(try lent("a", by: registry).isFromKnownFiles)
    }

    private enum Change: CaseIterable {
        case value, setting, tensorName, length, tokenizer, kind
    }

    @Test(arguments: Change.allCases)
    private func whatChangedWhileIdleIsRefused(change: Change) throws {
        var fixture = AdapterFixture.lora([AdapterFixture.query])
        let registry = registry()
        let path = try fixture.write(to: directory, name: "a")
        try registry.register(name: "a", path: path)
        _ = try lent("a", by: registry)
        switch change {
        case .value: fixture.tensors[0].values[5] += 1
        case .setting: fixture.configuration["lora_alpha"] = .integer(5)
        case .tensorName:
            fixture.tensors[0] = FloatTensor(
                fixture.tensors[0].name.replacing("layers.0", with: "layers.1"), [2, 16])
        case .length: fixture.tensors.removeLast()
        case .tokenizer:
            try AtomicFile.write("{}", to: path + "/tokenizer_config.json")
        case .kind:
            try FileManager.default.removeItem(atPath: path)
            try AtomicFile.write("{}", to: path)
        }
        if change != .kind { try fixture.write(to: directory, name: "a") }
        #expect(throws: AdapterError.self) { try registry.lease([SelectionEntry(name: "a")]) }
        #expect(registry.resident("a") == nil)
        #expect(registry.list()[0].inUseCount == 0)
    }

    @Test func noMoreLayoutsAreKeptThanAFew() throws {
        let registry = registry()
        for rank in 1...70 {
            let path = try AdapterFixture.lora([AdapterFixture.query], rank: rank)
                .write(to: directory, name: "\(rank)")
            try registry.register(name: "\(rank)", path: path)
        }
        let known = try (1...70).filter { try lent("\($0)", by: registry).isFromKnownFiles }
        #expect(known == Array(1...64))
    }
}
