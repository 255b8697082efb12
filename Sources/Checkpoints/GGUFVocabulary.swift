/// The vocabulary inside a GGUF file: its `tokenizer.ggml.*` keys.
///
/// Source: the GGUF specification, section "Tokenizer".
public struct GGUFVocabulary: Sendable, Equatable {
    /// `tokenizer.ggml.model`: "llama" is SentencePiece BPE, "gpt2" byte-level BPE.
    public var model: String
    /// `tokenizer.ggml.pre`: name of the pre-tokenizer of byte-level BPE.
    public var preTokenizer: String?
    /// The text of each token, as stored; its place is its id.
    public var pieces: ByteStrings
    /// Score of each token; empty where the file has none.
    public var scores: [Float]
    /// Type of each token (1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte); empty
    /// where the file has none.
    public var types: [Int32]
    /// Merges of byte-level BPE, two pieces with a space between; empty for SentencePiece.
    public var merges: [String]
    public var beginningToken: Int?
    public var endToken: Int?
    public var unknownToken: Int?
    public var paddingToken: Int?
    /// The ids that end a turn of a conversation, such as `eot_token_id`.
    public var endOfTurnTokens: [Int]
    public var addsBeginning: Bool?
    public var addsEnd: Bool?
    public var addsSpacePrefix: Bool?

    /// A vocabulary; whatever a file may lack can be left out.
    public init(
        model: String, preTokenizer: String? = nil, pieces: ByteStrings, scores: [Float] = [],
        types: [Int32] = [], merges: [String] = [], beginningToken: Int? = nil,
        endToken: Int? = nil, unknownToken: Int? = nil, paddingToken: Int? = nil,
        endOfTurnTokens: [Int] = [], addsBeginning: Bool? = nil, addsEnd: Bool? = nil,
        addsSpacePrefix: Bool? = nil
    ) {
        self.model = model
        self.preTokenizer = preTokenizer
        self.pieces = pieces
        self.scores = scores
        self.types = types
        self.merges = merges
        self.beginningToken = beginningToken
        self.endToken = endToken
        self.unknownToken = unknownToken
        self.paddingToken = paddingToken
        self.endOfTurnTokens = endOfTurnTokens
        self.addsBeginning = addsBeginning
        self.addsEnd = addsEnd
        self.addsSpacePrefix = addsSpacePrefix
    }
}
