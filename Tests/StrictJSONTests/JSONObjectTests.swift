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

    @Test func equalityDisregardsOrder() {
        let left: JSONObject = ["a": .integer(1), "b": .integer(2)]
        let right: JSONObject = ["b": .integer(2), "a": .integer(1)]
        #expect(left == right)
        #expect(left != ["a": .integer(1)])
        #expect(left != ["a": .integer(1), "b": .integer(3)])
    }
}
