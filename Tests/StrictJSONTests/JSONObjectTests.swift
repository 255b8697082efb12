import StrictJSON
import Testing

@Suite(.serialized) struct JSONObjectTests {
    /// Equivalent for Unicode, but other bytes.
    @Test(arguments: [2, 40])
    func twoSpellingsAreTwoKeys(count: Int) throws {
        let others = (2..<count).map { #","k\#($0)":0"# }.joined()
        let object = try #require(
            try JSONValue(parsing: Array("{\"\u{E9}\":1,\"e\u{301}\":2\(others)}".utf8)).objectValue
        )
        #expect(object.count == count)
        #expect(object["\u{E9}"] == .integer(1))
        #expect(object["e\u{301}"] == .integer(2))
        var changed = object
        changed["e\u{301}"] = .integer(3)
        #expect(changed["\u{E9}"] == .integer(1))
        #expect(changed.count == count)
    }

    @Test(arguments: [3, 40])
    func membersAreReplacedAppendedAndRemoved(count: Int) {
        var object = JSONObject()
        for index in 0..<count { object["k\(index)"] = .integer(Int64(index)) }
        object["k1"] = .string("new")
        object["k0"] = nil
        object["absent"] = nil
        #expect(object.count == count - 1)
        #expect(object["k0"] == nil)
        #expect(object["k1"] == .string("new"))
        #expect(object["k\(count - 1)"] == .integer(Int64(count - 1)))
        #expect(object.keys == (1..<count).map { "k\($0)" })
    }

    /// The first two are the same characters in Unicode, as are the last two.
    private static let spellings = ["caf\u{E9}", "cafe\u{301}", "\u{212A}", "K"]

    @Test(arguments: [0, 40])
    func keysAreComparedByTheirBytes(further: Int) throws {
        var object = JSONObject()
        for index in 0..<further { object["k\(index)"] = .null }
        for (index, key) in Self.spellings.enumerated() { object[key] = .integer(Int64(index)) }
        #expect(object.count == further + 4)
        let text = JSONValue.object(object).serialized()
        let parsed = try #require(try JSONValue(parsing: text).objectValue)
        for object in [object, parsed] {
            for (index, key) in Self.spellings.enumerated() {
                #expect(object[key] == .integer(Int64(index)))
            }
            #expect(
                object.keys.suffix(4).map { Array($0.utf8) }
                    == Self.spellings.map { Array($0.utf8) })
        }
        #expect(parsed == object)
        object[Self.spellings[1]] = nil
        #expect(object[Self.spellings[0]] == .integer(0) && object[Self.spellings[1]] == nil)
        #expect(parsed != object)
    }

    @Test func aKeyThatIsRepeatedIsFoundAmongOthersThatLookTheSame() {
        let (one, two) = (Self.spellings[0], Self.spellings[1])
        let error = #expect(throws: JSONError.self) {
            try JSONValue(parsing: "{\"\(one)\":1,\"\(two)\":2,\"\(two)\":3}")
        }
        #expect(error?.description.contains("at byte 22") == true, "\(error as Any)")
    }

    @Test func stringsAreComparedByTheirBytes() {
        #expect(JSONValue.string(Self.spellings[0]) != .string(Self.spellings[1]))
        #expect(JSONValue.string(Self.spellings[2]) != .string(Self.spellings[3]))
        #expect(JSONValue.string(Self.spellings[1]) == .string("cafe\u{301}"))
        #expect(JSONValue.array([.string("K")]) != .array([.string("\u{212A}")]))
        let texts = Self.spellings.map { ExactText($0) }
        #expect(Set(texts).count == 4)
        #expect(texts.sorted().map(\.text.utf8.count) == [1, 6, 5, 3])
    }

    @Test func equalityDisregardsOrder() {
        let left: JSONObject = ["a": .integer(1), "b": .integer(2)]
        let right: JSONObject = ["b": .integer(2), "a": .integer(1)]
        #expect(left == right)
        #expect(left != ["a": .integer(1)])
        #expect(left != ["a": .integer(1), "b": .integer(3)])
    }
}
