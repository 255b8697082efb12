import Checkpoints
import StrictJSON
import Testing

@Suite struct KeyTableTests {
    private let table = KeyTable(
        file: "f",
        keys: [
            .read("a", "x"), .refused("b", unless: [.integer(1)], "y"),
            .withoutEffect("c.*", "z"), .refused("c.d", "w"), .refused("*_end", "v"),
        ])

    @Test func namesWinOverPatterns() {
        #expect(table.entry(of: "a")?.fate == .read)
        #expect(table.entry(of: "c.e")?.fate == .withoutEffect)
        #expect(table.entry(of: "c.d")?.fate == .refused(unless: []))
        #expect(table.entry(of: "the_end")?.note == "v")
        #expect(table.entry(of: "c") == nil && table.entry(of: "_en") == nil)
    }

    @Test func refusedKeysAreFoundByTheirValue() {
        #expect(table.firstRefused(in: ["a": .integer(2), "b": .integer(1)]) == nil)
        #expect(table.firstRefused(in: ["b": .number(1)]) == nil)
        #expect(table.firstRefused(in: ["b": .null, "c.d": .null]) == nil)
        #expect(table.firstRefused(in: ["b": .integer(2)])?.key == "b")
        #expect(table.firstRefused(in: ["c.d": .bool(false)])?.entry.note == "w")
    }

    @Test func unknownKeysAreNamedUpToALimit() {
        #expect(table.warning(aboutUnknown: ["a", "b", "c.x"], path: "p") == nil)
        #expect(
            table.warning(aboutUnknown: ["a", "k\n"], path: "p")
                == "p: 'k�' is a key that Graft doesn't know, and ignored; docs/base-files.md lists "
                + "those that it knows")
        let nine = (1...9).map { "k\($0)" }
        #expect(
            table.warning(aboutUnknown: nine, path: "p")?.hasPrefix(
                "p: 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8' and 1 more are keys") == true)
    }

    @Test(arguments: [GenerationKeys.table, GGUFKeys.table])
    func everyKeyIsListedOnceWithAReason(table: KeyTable) {
        #expect(Set(table.keys.map(\.name)).count == table.keys.count)
        #expect(table.keys.allSatisfy { !$0.note.isEmpty && !$0.name.isEmpty })
    }
}
