import StrictJSON
import Testing

@Suite struct JSONSerializingTests {
    @Test func valuesAreWrittenOnOneLine() {
        let object: JSONObject = [
            "b": .array([.integer(-1), .unsigned(.max), .number(0.1), .null]),
            "a": .object(["x": .bool(true), "y": .object([:]), "z": .array([])]),
        ]
        #expect(
            JSONValue.object(object).serialized()
                == #"{"b":[-1,18446744073709551615,0.1,null],"a":{"x":true,"y":{},"z":[]}}"#)
    }

    @Test func prettyTextIsIndented() {
        let object: JSONObject = ["a": .array([.integer(1)]), "b": .object([:])]
        #expect(
            JSONValue.object(object).serialized(pretty: true)
                == "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}")
    }

    @Test func stringsAreEscaped() throws {
        let text = "\"\\/\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}\u{2028}é😀\0"
        let written = JSONValue.string(text).serialized()
        #expect(
            written
                == "\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0001\\u001f\u{7f}\u{2028}é😀\\u0000\"")
        #expect(try JSONValue(parsing: written) == .string(text))
    }

    @Test func everyControlCharacterSurvives() throws {
        for code in 0..<UInt8(0x20) {
            let value = JSONValue.string(String(Character(Unicode.Scalar(code))))
            #expect(try JSONValue(parsing: value.serialized()) == value)
        }
    }

    @Test(arguments: [
        0.1, -0.0, 1e300, .leastNonzeroMagnitude, 1.0 / 3, 123_456_789.125, .pi,
        .greatestFiniteMagnitude, 1e16, 1e-7,
    ])
    func doublesReadBackTheSame(number: Double) throws {
        let read = try JSONValue(parsing: JSONValue.number(number).serialized())
        #expect(read.doubleValue?.bitPattern == number.bitPattern)
    }

    @Test func nonFiniteNumbersBecomeNull() {
        let values: [JSONValue] = [.number(.nan), .number(.infinity), .number(-.infinity)]
        #expect(JSONValue.array(values).serialized() == "[null,null,null]")
    }

    @Test func accessorsDistinguishTypes() {
        #expect(JSONValue.number(16).intValue == nil)
        #expect(JSONValue.integer(16).intValue == 16)
        #expect(JSONValue.integer(16).doubleValue == 16)
        #expect(JSONValue.unsigned(.max).intValue == nil)
        #expect(JSONValue.bool(true).intValue == nil)
        #expect(JSONValue.null.isNull)
        let names = [
            JSONValue.null, .bool(true), .integer(1), .string(""), .array([]), .object([:]),
        ]
        .map(\.typeName)
        #expect(names == ["null", "a boolean", "a number", "a string", "an array", "an object"])
    }
}
