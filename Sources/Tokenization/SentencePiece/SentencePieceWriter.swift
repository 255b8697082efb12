import Checkpoints

/// Writes the ModelProto of a GGUF vocabulary of the kind “llama”, and that of a unigram
/// vocabulary.
///
/// GGUF keeps pieces, scores and types of the model that it was made from; such models merge by
/// score, copy text as it is, and keep every space.
enum SentencePieceWriter {
    /// The serialised model.
    /// - Throws: `invalidField` when the vocabulary's arrays differ in length, `invalidPiece` for a
    ///   negative type.
    static func model(_ source: GGUFVocabulary) throws(TokenizationError) -> [UInt8] {
        for (name, count) in [("scores", source.scores.count), ("token_type", source.types.count)]
        where count != source.pieces.count {
            throw .invalidField(
                field: "tokenizer.ggml.\(name)",
                expected: "as long as the \(source.pieces.count) tokens",
                found: "of \(count)")
        }
        let types = types(source)
        var model: [UInt8] = []
        for index in source.pieces.indices {
            guard types[index] >= 0 else {
                throw .invalidPiece(index: index, reason: "its type is \(types[index]), not 1 to 6")
            }
            append(
                piece: Array(source.pieces[index]), score: source.scores[index],
                type: UInt64(types[index]), to: &model)
        }
        append(field: 2, bytes: trainer(source), to: &model)
        append(
            field: 3, bytes: normalizer(addsDummyPrefix: source.addsSpacePrefix ?? true), to: &model
        )
        return model
    }

    /// The model of a unigram vocabulary that encodes text as it is: spaces are no other characters
    /// to it.
    ///
    /// - Parameters:
    ///   - pieces: spellings with their log-probabilities, by id.
    ///   - unknownToken: the piece that stands for what no other covers.
    ///   - hasBytePieces: whether `<0xHH>` stands for a byte of what no piece covers.
    static func unigramModel(
        _ pieces: [(spelling: String, score: Double)], unknownToken: Int, hasBytePieces: Bool
    ) -> [UInt8] {
        typealias PieceType = SentencePieceProto.PieceType
        var model: [UInt8] = []
        for (id, (spelling, score)) in pieces.enumerated() {
            let bytes = Array(spelling.utf8)
            let isByte = hasBytePieces && SentencePieceProto.byteValue(of: bytes) != nil
            let type: PieceType = id == unknownToken ? .unknown : isByte ? .byte : .normal
            append(piece: bytes, score: Float(score), type: type.rawValue, to: &model)
        }
        var trainer: [UInt8] = []
        append(field: 3, varint: 1, to: &trainer)  // model_type: unigram
        append(field: 35, varint: hasBytePieces ? 1 : 0, to: &trainer)
        if pieces.indices.contains(unknownToken) {
            append(field: 45, bytes: pieces[unknownToken].spelling.utf8, to: &trainer)
        }
        append(field: 2, bytes: trainer, to: &model)
        append(
            field: 3, bytes: normalizer(addsDummyPrefix: false, escapesSpaces: false), to: &model)
        return model
    }

    /// The types of the pieces; some files, such as Gemma's, list the unknown piece as a control
    /// piece.
    private static func types(_ source: GGUFVocabulary) -> [Int32] {
        let unknownType = Int32(SentencePieceProto.PieceType.unknown.rawValue)
        var types = source.types
        if let token = source.unknownToken, types.indices.contains(token),
            !types.contains(unknownType)
        {
            types[token] = unknownType
        }
        return types
    }

    /// A normaliser setting that, appended to a serialised model, overrides the model's own.
    static func dummyPrefixOverride(_ addsDummyPrefix: Bool) -> [UInt8] {
        var override: [UInt8] = []
        append(field: 3, varint: addsDummyPrefix ? 1 : 0, to: &override)
        var model: [UInt8] = []
        append(field: 3, bytes: override, to: &model)
        return model
    }

    private static func trainer(_ source: GGUFVocabulary) -> [UInt8] {
        let byteType = Int32(SentencePieceProto.PieceType.byte.rawValue)
        var trainer: [UInt8] = []
        append(field: 3, varint: 2, to: &trainer)  // model_type: byte-pair encoding
        append(field: 35, varint: source.types.contains(byteType) ? 1 : 0, to: &trainer)
        let names = [(45, source.unknownToken), (46, source.beginningToken), (47, source.endToken)]
        for (field, token) in names {
            guard let token, source.pieces.indices.contains(token) else { continue }
            append(field: field, bytes: source.pieces[token], to: &trainer)
        }
        return trainer
    }

    private static func append(
        piece bytes: [UInt8], score: Float, type: UInt64, to model: inout [UInt8]
    ) {
        var piece: [UInt8] = []
        append(field: 1, bytes: bytes, to: &piece)
        append(field: 2, fixed32: score.bitPattern, to: &piece)
        append(field: 3, varint: type, to: &piece)
        append(field: 1, bytes: piece, to: &model)
    }

    private static func normalizer(addsDummyPrefix: Bool, escapesSpaces: Bool = true) -> [UInt8] {
        var normalizer: [UInt8] = []
        append(field: 1, bytes: Array("identity".utf8), to: &normalizer)
        append(field: 3, varint: addsDummyPrefix ? 1 : 0, to: &normalizer)
        append(field: 4, varint: 0, to: &normalizer)  // remove_extra_whitespaces
        append(field: 5, varint: escapesSpaces ? 1 : 0, to: &normalizer)  // escape_whitespaces
        return normalizer
    }

    private static func append(field: Int, varint value: UInt64, to output: inout [UInt8]) {
        append(varint: UInt64(field) << 3, to: &output)
        append(varint: value, to: &output)
    }

    private static func append(field: Int, fixed32 value: UInt32, to output: inout [UInt8]) {
        append(varint: UInt64(field) << 3 | 5, to: &output)
        for shift in stride(from: 0, to: 32, by: 8) {
            output.append(UInt8(value >> UInt32(shift) & 0xFF))
        }
    }

    private static func append(field: Int, bytes: some Collection<UInt8>, to output: inout [UInt8])
    {
        append(varint: UInt64(field) << 3 | 2, to: &output)
        append(varint: UInt64(bytes.count), to: &output)
        output += bytes
    }

    private static func append(varint value: UInt64, to output: inout [UInt8]) {
        var value = value
        while value >= 0x80 {
            output.append(UInt8(value & 0x7F) | 0x80)
            value >>= 7
        }
        output.append(UInt8(value))
    }
}
