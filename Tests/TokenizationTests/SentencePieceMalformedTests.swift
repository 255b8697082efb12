import Checkpoints
import Testing
import Tokenization

@Suite struct SentencePieceMalformedTests {
    private static func piece(_ text: [UInt8], score: Float = 0, type: UInt8 = 1) -> [UInt8] {
        var body: [UInt8] = [0x0A] + varint(text.count) + text
        body += [0x15] + withUnsafeBytes(of: score.bitPattern.littleEndian) { Array($0) }
        body += [0x18, type]
        return [0x0A] + varint(body.count) + body
    }

    private static func varint(_ value: Int) -> [UInt8] {
        value < 128 ? [UInt8(value)] : [UInt8(value & 127) | 128] + varint(value >> 7)
    }

    private static func piece(_ text: String, score: Float = 0, type: UInt8 = 1) -> [UInt8] {
        piece(Array(text.utf8), score: score, type: type)
    }

    private static let unknown = piece("<unk>", type: 2)

    @Test(
        arguments: [
            ([], "The SentencePiece model is malformed at byte 0: the file is empty."),
            (
                [0x0A, 0x05, 0x01],
                "The SentencePiece model is malformed at byte 0: a field of 5 bytes reaches past its message."
            ),
            (
                [0x0A] + [UInt8](repeating: 0xFF, count: 11),
                "The SentencePiece model is malformed at byte 1: a number is longer than 64 bits."
            ),
            (
                [0x0A, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
                "The SentencePiece model is malformed at byte 0: a field of 9223372036854775808 bytes reaches "
                    + "past its message."
            ),
            ([0x0B], "The SentencePiece model is malformed at byte 0: wire type 3 is not allowed."),
            ([0x0F], "The SentencePiece model is malformed at byte 0: wire type 7 is not allowed."),
            (
                [0x0D, 0x00],
                "The SentencePiece model is malformed at byte 1: the file is truncated."
            ),
            (
                [0x08, 0x01],
                "The SentencePiece model is malformed at byte 2: field 1 is not a message."
            ),
            (
                piece("a"),
                "pieces must be a vocabulary with one unknown piece, but it is one with 0."
            ),
            (
                unknown + piece("?", type: 2),
                "pieces must be a vocabulary with one unknown piece, but it is one with 2."
            ),
            (
                unknown + piece("a") + piece("a"),
                "The SentencePiece model's piece 2 is invalid: 'a' is there twice."
            ),
            (unknown + piece(""), "The SentencePiece model's piece 1 is invalid: it is empty."),
            (
                unknown + piece("a\0b"),
                "The SentencePiece model's piece 1 is invalid: it contains a zero byte."
            ),
            (
                unknown + piece([UInt8](repeating: 97, count: 1_000_000)),
                "The SentencePiece model's piece 1 is invalid: it has 1000000 bytes, more than 16384."
            ),
            (
                unknown + piece([0xFF, 0xFE]),
                "The SentencePiece model's piece 1 is invalid: it is not UTF-8."
            ),
            (
                unknown + piece("a", score: .nan),
                "The SentencePiece model's piece 1 is invalid: its score is nan."
            ),
            (
                unknown + piece("a", score: .infinity),
                "The SentencePiece model's piece 1 is invalid: its score is inf."
            ),
            (
                unknown + piece("a", type: 99),
                "The SentencePiece model's piece 1 is invalid: its type is 99, not 1 to 6."
            ),
            (
                unknown + piece("<0xZZ>", type: 6),
                "The SentencePiece model's piece 1 is invalid: it stands for a byte but is not spelled "
                    + "<0x00> to <0xFF>."
            ),
            (
                unknown + piece("<0x41>", type: 6) + [0x12, 0x03, 0x98, 0x02, 0x01],
                "pieces must be a vocabulary with 256 byte pieces, but it is one with 1."
            ),
            (
                unknown + [0x12, 0x02, 0x18, 99],
                "trainer_spec.model_type must be 1 to 4, but it is 99."
            ),
            (
                unknown + [0x1A, 0x05, 0x12, 0x03, 1, 2, 3],
                "The SentencePiece model is malformed at byte 20: precompiled_charsmap is unusable, it is too short."
            ),
            (
                unknown + [0x1A, 0x0A, 0x12, 0x08, 200, 0, 0, 0, 1, 2, 3, 0],
                "The SentencePiece model is malformed at byte 20: precompiled_charsmap is unusable, its trie of "
                    + "200 bytes does not fit."
            ),
            (
                unknown + [0x1A, 0x0B, 0x12, 0x09, 4, 0, 0, 0, 0, 0xFF, 0xFF, 0x7F, 0],
                "The SentencePiece model is malformed at byte 20: precompiled_charsmap is unusable, its trie "
                    + "points outside itself."
            ),
        ] as [([UInt8], String)])
    func modelsAreCheckedBeforeTheLibrarySeesThem(bytes: [UInt8], expected: String) {
        let error = #expect(throws: TokenizationError.self) {
            try TokenizerLoader.load(TokenizerAssets(vocabulary: .sentencePiece(modelBytes: bytes)))
        }
        #expect(error?.description == expected)
    }

    @Test func changedBytesNeverTrap() throws {
        let model = try Fixtures.bytes("sp-unigram.model")
        var random = SplitMix(state: 7)
        for _ in 0..<1500 {
            var bytes = model
            for _ in 0...random.next() % 4 {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
                    truncatingIfNeeded: random.next())
            }
            if random.next() % 5 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
            let assets = TokenizerAssets(vocabulary: .sentencePiece(modelBytes: bytes))
            guard let tokenizer = try? TokenizerLoader.load(assets) else { continue }
            _ = try? tokenizer.encode("The court ＡＢ　 heard １２ 日本 👍", addingSpecialTokens: true)
        }
    }

    @Test func aVocabularyOfUnequalArraysIsRefused() {
        let vocabulary = GGUFVocabulary(
            model: "llama", pieces: [Array("<unk>".utf8)], scores: [], types: [2])
        let error = #expect(throws: TokenizationError.self) {
            try TokenizerLoader.load(TokenizerAssets(vocabulary: .gguf(vocabulary)))
        }
        #expect(
            error?.description
                == "tokenizer.ggml.scores must be as long as the 1 tokens, but it is of 0.")
    }
}
