import StrictJSON
import Testing

@Suite struct JSONParsingTests {
    @Test func everyEscapedSurrogatePairBecomesItsCharacter() throws {
        // Every 61st code point beyond the basic plane, so that all low halves come up.
        for value in stride(from: UInt32(0x10000), through: 0x10FFFF, by: 61) {
            let scalar = try #require(Unicode.Scalar(value))
            let escaped = scalar.utf16.map { "\\u" + String($0, radix: 16) }.joined()
            let parsed = try JSONValue(parsing: "[\"a\(escaped)b\", {\"\(escaped)\": 1}]")
            #expect(parsed.arrayValue?.first == .string("a\(scalar)b"))
            #expect(parsed.arrayValue?.last?.objectValue?[String(scalar)] == .integer(1))
        }
    }

    @Test(arguments: [
        ("null", JSONValue.null), ("true", .bool(true)), (" false\n", .bool(false)),
        ("0", .integer(0)), ("-12", .integer(-12)), ("1.5", .number(1.5)), ("2e3", .number(2000)),
        ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", .unsigned(1 << 63)), ("18446744073709551615", .unsigned(.max)),
        ("18446744073709551616", .number(18_446_744_073_709_551_616)),
        ("-9223372036854775809", .number(-9_223_372_036_854_775_808)),
        ("1000000000000000019884624838656", .number(1e30)),
        (#""""#, .string("")), (#""\u0041\n\/\"""#, .string("A\n/\"")),
        (#""\ud83d\ude00""#, .string("😀")), (#""\u0000x""#, .string("\0x")),
        ("\"é漢😀\"", .string("é漢😀")), ("[]", .array([])), ("{}", .object([:])),
        ("[1,[2],{}]", .array([.integer(1), .array([.integer(2)]), .object([:])])),
    ])
    func valuesAreRead(text: String, expected: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == expected)
    }

    @Test func membersKeepTheirOrder() throws {
        let names = (0..<40).map { "k\(($0 * 17) % 40)" }
        let text = "{" + names.map { "\"\($0)\":\"\($0)\"" }.joined(separator: ",") + "}"
        let object = try #require(try JSONValue(parsing: text).objectValue)
        #expect(object.keys == names)
        #expect(names.allSatisfy { object[$0] == .string($0) })
    }

    @Test func wideIntegersDoNotDisturbWhatFollows() throws {
        let text = "[99999999999999999999, 1, -99999999999999999999, \"x\"]"
        let expected: [JSONValue] = [.number(1e20), .integer(1), .number(-1e20), .string("x")]
        #expect(try JSONValue(parsing: text) == .array(expected))
    }

    @Test func depthUpToTheLimitIsRead() throws {
        let text = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        _ = try JSONValue(parsing: text)
        let objects =
            String(repeating: "{\"a\":", count: 64) + "1" + String(repeating: "}", count: 64)
        _ = try JSONValue(parsing: objects)
        _ = try JSONValue(parsing: "[[1]]", limits: JSONLimits(maximumDepth: 2))
    }

    @Test func aLargeTextIsReadWhole() throws {
        let elements = (0..<50_000).map { JSONValue.string("token\($0)") }
        let text = JSONValue.array(elements).serialized()
        #expect(try JSONValue(parsing: text) == .array(elements))
    }
}
