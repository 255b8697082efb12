/// The most probable pieces of a text, of a unigram vocabulary as a `tokenizer.json` lists it;
/// libsentencepiece finds them.
///
/// **Source:** Kudo 2018, arXiv 1804.10959.
struct UnigramEncoder: Sendable {
    /// The model's tokens by their spelling.
    let tokens: TokenTable
    private let library: SentencePieceLibrary

    /// - Throws: what ``SentencePieceProto`` and ``SentencePieceLibrary`` throw.
    init(
        _ pieces: [(spelling: String, score: Double)], unknownToken: Int, hasBytePieces: Bool,
        tokens: TokenTable
    ) throws(TokenizationError) {
        let model = SentencePieceWriter.unigramModel(
            pieces, unknownToken: unknownToken, hasBytePieces: hasBytePieces)
        _ = try SentencePieceProto(model)
        library = try SentencePieceLibrary(model)
        self.tokens = tokens
    }

    /// Appends the tokens of a piece of text.
    /// - Throws: `sentencePiece`.
    func encode(_ piece: [UInt8], into output: inout [Int]) throws(TokenizationError) {
        try library.encode(piece, into: &output)
    }
}

/// What turns a piece of text into tokens.
enum PieceEncoder: Sendable {
    case pairs(BytePairEncoder)
    case unigram(UnigramEncoder)

    /// The model's tokens by their spelling, without those added to it.
    var tokens: TokenTable {
        switch self {
        case .pairs(let encoder): encoder.tokens
        case .unigram(let encoder): encoder.tokens
        }
    }

    /// Appends the tokens of all pieces.
    /// - Throws: `sentencePiece`.
    func encode(
        _ pieces: TextPieces, into output: inout [Int], _ scratch: inout BytePairEncoder.Scratch
    ) throws(TokenizationError) {
        switch self {
        case .pairs(let encoder):
            pieces.bytes.withUnsafeBufferPointer { bytes in
                for range in pieces.ranges {
                    encoder.encode(
                        UnsafeBufferPointer(rebasing: bytes[range]), into: &output, &scratch)
                }
            }
        case .unigram(let encoder):
            for range in pieces.ranges {
                try encoder.encode(Array(pieces.bytes[range]), into: &output)
            }
        }
    }
}
