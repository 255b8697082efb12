import StrictJSON
import Testing

/// One sample for each class of texts that a strict reader must refuse.
@Suite struct JSONParsingMalformedTests {
    @Test(arguments: [
        ("", "the text is empty"),
        (" \n", "the text is empty"),
        ("[", "the text ends too early, at byte 1"),
        ("{\"a\":1", "the text ends too early, at byte 6"),
        ("[1,", "the text ends too early, at byte 3"),
        ("nul", "the text ends too early, at byte 3"),
        ("\"abc", "the string that begins at byte 0 has no end"),
        ("\"abc\\", "the string that begins at byte 0 has no end"),
        ("[1,]", "unexpected ']' at byte 3"),
        ("{\"a\":1,}", "unexpected '}' at byte 7"),
        ("[,1]", "unexpected ',' at byte 1"),
        ("[1,,2]", "unexpected ',' at byte 3"),
        ("[1 2]", "unexpected '2' at byte 3"),
        ("{\"a\" 1}", "unexpected '1' at byte 5"),
        ("{\"a\":}", "unexpected '}' at byte 5"),
        ("{\"a\"}", "unexpected '}' at byte 4"),
        ("{\"a\",1}", "unexpected ',' at byte 4"),
        ("[\"a\":1]", "unexpected ':' at byte 4"),
        ("{1:2}", "unexpected '1' at byte 1"),
        ("{null:2}", "unexpected 'n' at byte 1"),
        ("[}", "unexpected '}' at byte 1"),
        ("{]", "unexpected ']' at byte 1"),
        ("]", "unexpected ']' at byte 0"),
        ("{}{}", "unexpected '{' at byte 2"),
        ("{}x", "unexpected 'x' at byte 2"),
        ("1 2", "unexpected '2' at byte 2"),
        ("truex", "unexpected 'x' at byte 4"),
        ("True", "unexpected 'T' at byte 0"),
        ("nULL", "unexpected 'U' at byte 1"),
        ("'a'", "unexpected ''' at byte 0"),
        ("{a:1}", "unexpected 'a' at byte 1"),
        ("/*c*/1", "unexpected '/' at byte 0"),
        ("1 // c", "unexpected '/' at byte 2"),
        ("# c", "unexpected '#' at byte 0"),
        ("NaN", "unexpected 'N' at byte 0"),
        ("[Infinity]", "unexpected 'I' at byte 1"),
        ("-Infinity", "malformed number at byte 0"),
        ("[\u{c}]", "unexpected byte 0x0C at byte 1"),
        ("[\u{a0}]", "unexpected byte 0xC2 at byte 1"),
        ("{}\0", "unexpected byte 0x00 at byte 2"),
        ("[1\u{0}]", "malformed number at byte 1"),
    ])
    func orderOfTokensIsChecked(text: String, description: String) {
        expectFailure(text, description)
    }

    @Test(arguments: [
        "01", "-01", "-", "+1", "1.", ".5", "1.e5", "1e", "1e+", "0x10", "1_000", "1a", "--1",
        "1.2.3", "2.e+3", "0e", "1eE2", "-a", "1-2",
    ])
    func numbersFollowTheGrammar(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: "[\(text)]") }
    }

    @Test(arguments: [
        ("1e400", "number out of range at byte 0"), ("[-1e400]", "number out of range at byte 1"),
        ("1" + String(repeating: "0", count: 400), "number out of range at byte 0"),
    ])
    func numbersBeyondDoubleAreRefused(text: String, description: String) {
        expectFailure(text, description)
    }

    @Test(arguments: [
        (#""\x41""#, "bad escape at byte 1"), (#""\u12""#, "bad escape at byte 1"),
        (#""\u12G4""#, "bad escape at byte 1"), (#""\U0041""#, "bad escape at byte 1"),
        (#""\ud800""#, "bad escape: unpaired surrogate at byte 1"),
        (#""\ud800\u0041""#, "bad escape: unpaired surrogate at byte 1"),
        (#""\ude00\ud83d""#, "bad escape: unpaired surrogate at byte 1"),
        (#"{"a\u0000b":1}"#, "a key holds a NUL character at byte 3"),
        ("\"a\tb\"", "control character 0x09 at byte 2"),
        ("\"a\nb\"", "control character 0x0A at byte 2"),
        ("\"\0\"", "control character 0x00 at byte 1"),
    ])
    func stringsAreChecked(text: String, description: String) {
        expectFailure(text, description)
    }

    @Test(
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22], [0x22, 0x80, 0x22],
            [0x22, 0xF0, 0x80, 0x80, 0x80, 0x22], [0x22, 0xE2, 0x82],
        ] as [[UInt8]])
    func stringsMustBeUTF8(bytes: [UInt8]) {
        #expect(throws: JSONError.invalidUTF8(offset: 1)) { try JSONValue(parsing: bytes) }
    }

    @Test func byteOrderMarksAreRefused() {
        expectFailure(
            "\u{FEFF}{}", "the text begins with a byte order mark (remove the first 3 bytes)")
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0xFF, 0xFE, 0x7B, 0, 0x7D, 0]) }
    }

    @Test(arguments: [
        (#"{"a":1,"b":2,"a":3}"#, #"duplicate key "a" at byte 13"#),
        (#"{"a":1,"\u0061":2}"#, #"duplicate key "a" at byte 7"#),
        (#"[{"x":{"k":":","k":0}}]"#, #"duplicate key "k" at byte 15"#),
        (#"{"":1,"":1}"#, #"duplicate key "" at byte 6"#),
    ])
    func duplicateKeysAreNamed(text: String, description: String) {
        expectFailure(text, description)
    }

    @Test func equalKeysInDifferentObjectsAreFine() throws {
        _ = try JSONValue(parsing: #"{"a":{"a":1},"b":[{"a":1},{"a":":"}]}"#)
    }

    @Test func depthAndLengthAreLimited() {
        let deep = String(repeating: "[", count: 100_000)
        expectFailure(deep, "nesting deeper than 64 at byte 64")
        #expect(throws: JSONError.tooDeep(limit: 2, offset: 2)) {
            try JSONValue(parsing: "[[[]]]", limits: JSONLimits(maximumDepth: 2))
        }
        #expect(throws: JSONError.tooLong(byteCount: 5, limit: 4)) {
            try JSONValue(parsing: "[1,2]", limits: JSONLimits(maximumByteCount: 4))
        }
    }

    /// Elements are as many as the text's bytes allow; the text is bounded, and how deep they lie.
    @Test(arguments: [-1, 0, 1])
    func limitsHoldBelowThemAtThemAndAbove(excess: Int) throws {
        let text = "[1,2,3]"
        let byteCount = text.utf8.count
        let nested =
            String(repeating: "[", count: 5 + excess) + String(repeating: "]", count: 5 + excess)
        let bounded = JSONLimits(maximumDepth: 5, maximumByteCount: byteCount - excess)
        if excess > 0 {
            #expect(throws: JSONError.tooLong(byteCount: byteCount, limit: byteCount - excess)) {
                try JSONValue(parsing: text, limits: bounded)
            }
            #expect(throws: JSONError.tooDeep(limit: 5, offset: 5)) {
                try JSONValue(parsing: nested, limits: JSONLimits(maximumDepth: 5))
            }
        } else {
            #expect(try JSONValue(parsing: text, limits: bounded).arrayValue?.count == 3)
            _ = try JSONValue(parsing: nested, limits: JSONLimits(maximumDepth: 5))
        }
    }

    @Test func everyPrefixOfATextIsRefused() throws {
        let text = #"{"a":[1.5,-2e3,"x\u00e9\ud83d\ude00é",true,null],"b":{"c":{}}}"#
        _ = try JSONValue(parsing: text)
        let bytes = [UInt8](text.utf8)
        for count in 0..<bytes.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Array(bytes[..<count])) }
        }
    }

    private func expectFailure(_ text: String, _ description: String) {
        do {
            let value = try JSONValue(parsing: text)
            Issue.record("read as \(value.serialized())")
        } catch {
            #expect(error.description == description)
        }
    }
}
