/// What of a SentencePiece ModelProto matters outside the library, checked before the library sees
/// it.
///
/// **Source:** `sentencepiece_model.proto` of SentencePiece 0.1.97.
struct SentencePieceProto {
    /// Kinds of pieces, with the numbers of the file (GGUF uses the same).
    enum PieceType: UInt64 {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    /// One entry of the vocabulary.
    struct Piece {
        var bytes: [UInt8] = []
        var type = PieceType.normal
    }

    private(set) var pieces: [Piece] = []
    private(set) var modelType: UInt64 = 1
    private(set) var hasByteFallback = false
    /// Whether a space goes in front of each text.
    private(set) var addsDummyPrefix = true
    /// Whether leading, trailing and repeated spaces are dropped.
    private(set) var removesExtraWhitespace = true
    private(set) var unknownSurface: [UInt8] = Array(" \u{2047} ".utf8)

    private static let longestPiece = 16 * 1024

    /// Reads and checks a model.
    /// - Throws: `malformedSentencePieceModel`, `invalidPiece`, `invalidField`.
    init(_ file: [UInt8]) throws(TokenizationError) {
        guard !file.isEmpty else {
            throw .malformedSentencePieceModel(offset: 0, reason: "the file is empty")
        }
        let result = file.withUnsafeBufferPointer { buffer in
            Result { () throws(TokenizationError) in try SentencePieceProto(buffer) }
        }
        self = try result.get()
    }

    private init(_ file: UnsafeBufferPointer<UInt8>) throws(TokenizationError) {
        var reader = ProtobufReader(file, in: 0..<file.count)
        while let field = try reader.next() {
            guard case .bytes(let range) = field.value else {
                guard field.number > 5 else {
                    throw .malformedSentencePieceModel(
                        offset: reader.offset, reason: "field \(field.number) is not a message")
                }
                continue
            }
            switch field.number {
            case 1: pieces.append(try Self.piece(file, range, index: pieces.count))
            case 2: try readTrainer(file, range)
            case 3: try readNormalizer(file, range, isForInput: true)
            case 5: try readNormalizer(file, range, isForInput: false)
            default: break
            }
        }
        try checkVocabulary()
    }

    private static func piece(
        _ file: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, index: Int
    ) throws(TokenizationError) -> Piece {
        var piece = Piece()
        var reader = ProtobufReader(file, in: range)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (1, .bytes(let bytes)): piece.bytes = Array(file[bytes])
            case (2, .fixed32(let bits)):
                guard Float(bitPattern: bits).isFinite else {
                    throw .invalidPiece(
                        index: index, reason: "its score is \(Float(bitPattern: bits))")
                }
            case (3, .varint(let number)):
                guard let type = PieceType(rawValue: number) else {
                    throw .invalidPiece(index: index, reason: "its type is \(number), not 1 to 6")
                }
                piece.type = type
            case (1...3, _):
                throw .invalidPiece(
                    index: index, reason: "its field \(field.number) has the wrong type")
            default: break
            }
        }
        try check(piece, index: index)
        return piece
    }

    private static func check(_ piece: Piece, index: Int) throws(TokenizationError) {
        let invalid = piece.bytes.withUnsafeBufferPointer(UTF8Validation.firstInvalidByte)
        let reason: String? =
            if piece.bytes.isEmpty { "it is empty" } else if piece.bytes.count > longestPiece {
                "it has \(piece.bytes.count) bytes, more than \(longestPiece)"
            } else if piece.bytes.contains(0) { "it contains a zero byte" } else if invalid != nil {
                "it is not UTF-8"
            } else if piece.type == .byte && byteValue(of: piece.bytes) == nil {
                "it stands for a byte but is not spelled <0x00> to <0xFF>"
            } else { nil }
        if let reason { throw .invalidPiece(index: index, reason: reason) }
    }

    /// The piece that stands for a byte.
    static func bytePiece(of byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "<0x\(byte < 16 ? "0" : "")\(digits)>"
    }

    /// The byte that `<0xHH>` stands for.
    static func byteValue(of piece: [UInt8]) -> UInt8? {
        guard piece.count == 6, piece.starts(with: Array("<0x".utf8)), piece[5] == UInt8(ascii: ">")
        else {
            return nil
        }
        let digits = String(decoding: piece[3..<5], as: UTF8.self)
        guard digits == digits.uppercased(), let first = digits.first, first != "+" && first != "-"
        else {
            return nil
        }
        return UInt8(digits, radix: 16)
    }

    private mutating func readTrainer(
        _ file: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
    ) throws(TokenizationError) {
        var reader = ProtobufReader(file, in: range)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (3, .varint(let type)): modelType = type
            case (35, .varint(let flag)): hasByteFallback = flag != 0
            case (44, .bytes(let surface)): unknownSurface = Array(file[surface])
            case (24, .varint(let flag)) where flag != 0:
                throw .unsupported(
                    feature: "SentencePiece setting", name: "treat_whitespace_as_suffix",
                    supported: ["spaces in front of words"])
            default: break
            }
        }
        guard (1...4).contains(modelType) else {
            throw .invalidField(
                field: "trainer_spec.model_type", expected: "1 to 4", found: "\(modelType)")
        }
    }

    private mutating func readNormalizer(
        _ file: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, isForInput: Bool
    ) throws(TokenizationError) {
        var reader = ProtobufReader(file, in: range)
        while let field = try reader.next() {
            switch (field.number, field.value) {
            case (2, .bytes(let map)): try PrecompiledCharacterMap.check(file, in: map)
            case (3, .varint(let flag)) where isForInput: addsDummyPrefix = flag != 0
            case (4, .varint(let flag)) where isForInput: removesExtraWhitespace = flag != 0
            default: break
            }
        }
    }

    /// Rules over all pieces; the library would refuse most of these, but not by name.
    private func checkVocabulary() throws(TokenizationError) {
        var seen = Set<[UInt8]>(minimumCapacity: pieces.count)
        for (index, piece) in pieces.enumerated() where !seen.insert(piece.bytes).inserted {
            let spelling = String(decoding: piece.bytes, as: UTF8.self)
            throw .invalidPiece(index: index, reason: "'\(spelling)' is there twice")
        }
        let unknownCount = pieces.count { $0.type == .unknown }
        guard unknownCount == 1 else {
            throw .invalidField(
                field: "pieces", expected: "a vocabulary with one unknown piece",
                found: "one with \(unknownCount)")
        }
        let byteCount = pieces.count { $0.type == .byte }
        guard byteCount == (hasByteFallback ? 256 : 0) else {
            throw .invalidField(
                field: "pieces",
                expected: "a vocabulary with \(hasByteFallback ? 256 : 0) byte pieces",
                found: "one with \(byteCount)")
        }
    }
}
