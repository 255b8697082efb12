import StrictJSON
import Testing
import Tokenization

/// Patterns cut a text as Oniguruma does; see tools/goldens/tokenizer_files.py.
@Suite struct PatternTranslationTests {
    /// A vocabulary in which the expected pieces are tokens, so that other pieces give other
    /// tokens.
    @Test func piecesAreOnigurumas() throws {
        let fixture = try #require(try Fixtures.json("tokenizer-files.json").objectValue)
        let subjects = (fixture["subjects"]?.arrayValue ?? []).compactMap(\.stringValue)
        for item in (fixture["patterns"]?.arrayValue ?? []).compactMap(\.arrayValue) {
            let pattern = try #require(item[0].stringValue)
            for (subject, pieces) in zip(subjects, item[1].arrayValue ?? []) {
                let pieces = (pieces.arrayValue ?? []).compactMap(\.stringValue)
                var vocabulary = JSONObject()
                for byte in 0...255 { vocabulary[spelled([UInt8(byte)])] = .integer(Int64(byte)) }
                for piece in pieces where vocabulary[spelled(Array(piece.utf8))] == nil {
                    vocabulary[spelled(Array(piece.utf8))] = .integer(Int64(vocabulary.count))
                }
                let split: JSONValue = .object([
                    "type": .string("Split"), "pattern": .object(["Regex": .string(pattern)]),
                    "behavior": .string("Isolated"), "invert": .bool(false),
                ])
                let bytes =
                    #"{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}"#
                let steps = "[\(split.serialized()),\(bytes)]"
                let tokenizer = try Fixtures.tokenizer(
                    json: Fixtures.tokenizerJSON(
                        vocabulary: JSONValue.object(vocabulary).serialized(), merges: "[]",
                        model: #","ignore_merges":true"#,
                        preTokenizer: #"{"type":"Sequence","pretokenizers":\#(steps)}"#))
                let expected = pieces.compactMap {
                    tokenizer.token(spelled: spelled(Array($0.utf8)))
                }
                let tokens = try tokenizer.encode(subject, addingSpecialTokens: false)
                #expect(tokens == expected, "\(pattern) \(subject.debugDescription) \(pieces)")
            }
        }
    }

    @Test func optionsThatOnigurumaHasNotAreRefused() throws {
        let error = #expect(throws: TokenizationError.self) {
            try Fixtures.tokenizer(
                json: Fixtures.tokenizerJSON(
                    preTokenizer: """
                        {"type":"Split","pattern":{"Regex":"(?s).+"},"behavior":"Isolated","invert":false}
                        """))
        }
        #expect(
            error?.description
                == "The regular expression '(?s).+' is invalid at byte 2: the option 's' is not supported."
        )
    }

    /// GPT-2's spelling of bytes as printable characters.
    private func spelled(_ bytes: [UInt8]) -> String {
        var next: UInt32 = 0x100
        var alphabet: [Unicode.Scalar] = []
        for byte in UInt32(0)...255 {
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: alphabet.append(Unicode.Scalar(UInt8(byte)))
            default:
                alphabet.append(Unicode.Scalar(next) ?? " ")
                next += 1
            }
        }
        return String(String.UnicodeScalarView(bytes.map { alphabet[Int($0)] }))
    }
}
