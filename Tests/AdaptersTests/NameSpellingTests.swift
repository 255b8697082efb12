import Adapters
import Checkpoints
import Foundation
import StrictJSON
import Testing
import Transformer

/// Names that Unicode spells in two ways: two names, or a refusal, and never one for the other.
@Suite struct NameSpellingTests {
    let reading: AdapterReading
    private let registry: AdapterRegistry
    /// The same characters, in one scalar and in two.
    private let one = "caf\u{E9}"
    private let two = "cafe\u{301}"

    init() throws {
        reading = try AdapterReading()
        registry = AdapterRegistry(base: reading.base)
    }

    private func adapter(seed: UInt64) throws -> String {
        try AdapterFixture.lora([AdapterFixture.query], seed: seed).write(
            to: reading.directory, name: "\(seed)")
    }

    @Test func aLoadedNameIsNotPointedElsewhereByAnotherSpelling() throws {
        let first = try registry.load(name: one, path: adapter(seed: 1)).hash
        let other = try adapter(seed: 2)
        let refusal =
            "adapter name '\(two)' can't be used: one that looks the same, in other Unicode "
            + "characters, is loaded: give it as that is spelled, or choose another"
        #expect(AdapterFailure.description { try registry.load(name: two, path: other) } == refusal)
        #expect(
            AdapterFailure.description { try registry.register(name: two, path: other) } == refusal)
        #expect(registry.list().map(\.hash) == [first])
        #expect(registry.list()[0].name.utf8.elementsEqual(one.utf8))
        let changed = try registry.load(name: one, path: other).hash
        #expect(changed != first)
    }

    @Test func aRequestNamesAnAdapterByItsBytes() async throws {
        try registry.load(name: one, path: adapter(seed: 1))
        let refusal =
            "no adapter '\(two)' is loaded, but one that looks the same in other Unicode characters: "
            + "send its name as it was given"
        #expect(
            AdapterFailure.description { _ = try registry.lease([SelectionEntry(name: two)]) }
                == refusal)
        #expect(AdapterFailure.description { try registry.merge(name: two) } == refusal)
        await #expect(throws: AdapterError.unknownSpelling(two)) {
            try await registry.unload(name: two)
        }
        try registry.lease([SelectionEntry(name: one)]).release()
        try await registry.unload(name: one)
        try registry.load(name: two, path: adapter(seed: 1))
        try registry.lease([SelectionEntry(name: two)]).release()
    }

    @Test func tensorsAreNamedByTheirBytes() throws {
        let path = reading.directory.path + "/two.safetensors"
        try FloatTensor.write(
            [FloatTensor(two, [2], seed: 1), FloatTensor(one, [3], seed: 2)], to: path)
        let file = try SafetensorsFile(path: path)
        #expect(file.tensor(one)?.shape == [3] && file.tensor(two)?.shape == [2])
        #expect(file.tensor("K") == nil)
    }
}
