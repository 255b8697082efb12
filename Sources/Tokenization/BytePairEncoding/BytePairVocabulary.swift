/// The tokens of a byte-pair vocabulary, as spelled in the file, while a tokenizer is built.
struct BytePairVocabulary {
    /// Ids by spelling.
    private(set) var tokens: TokenTable
    /// Spellings by id; nil where the file has no token of that id.
    private(set) var spellings: [String?] = []
    /// One more than the largest id that `count` tokens may use.
    private let idLimit: Int

    /// A vocabulary for `count` tokens. Ids may have gaps, but not so that tables of them dwarf the
    /// vocabulary.
    init(count: Int) {
        tokens = TokenTable(capacity: count)
        spellings.reserveCapacity(count)
        idLimit = min(max(65_536, 2 * count), Int(Int32.max))
    }

    /// Adds a token.
    /// - Throws: `invalidTokenID` or `duplicateTokenID`.
    mutating func add(_ spelling: String, id: Int) throws(TokenizationError) {
        guard id >= 0 && id < idLimit else {
            throw .invalidTokenID(
                token: spelling, id: "\(id)",
                reason: "an id must be an integer from 0 to \(idLimit - 1)")
        }
        if id >= spellings.count {
            spellings += [String?](repeating: nil, count: id + 1 - spellings.count)
        }
        if let other = spellings[id] {
            guard Array(other.utf8) == Array(spelling.utf8) else {
                throw .duplicateTokenID(id: id, first: other, second: spelling)
            }
            return
        }
        if let known = tokens.insert(spelling, id: Int32(id)) {
            throw .invalidTokenID(
                token: spelling, id: "\(id)",
                reason: "the vocabulary gives it the id \(known) as well")
        }
        spellings[id] = spelling
    }

    /// How many tokens there are.
    var count: Int { tokens.count }

    /// Gives back room that nothing was put in, once all tokens are there.
    mutating func shrink() { tokens.shrink() }

    /// The merge table of pairs in order of rank.
    /// - Throws: `invalidMerge` where a part or the result is not in the vocabulary.
    func mergeTable(_ pairs: [MergePair]) throws(TokenizationError) -> MergeTable {
        var table = MergeTable(capacity: pairs.count)
        for (rank, pair) in pairs.enumerated() {
            let left = try token(pair.left, ofMerge: rank)
            let right = try token(pair.right, ofMerge: rank)
            let merged = try token(pair.left + pair.right, ofMerge: rank)
            table.insert(left, right, .init(rank: UInt32(rank), token: merged))
        }
        return table
    }

    private func token(_ spelling: String, ofMerge index: Int) throws(TokenizationError) -> Int32 {
        guard let token = tokens.id(of: spelling) else {
            throw .invalidMerge(index: index, reason: "'\(spelling)' is not in the vocabulary")
        }
        return token
    }

    /// The token of each byte value; -1 where there is none.
    var byteTokens: [Int32] {
        ByteAlphabet.spellings.map { spelling in
            spelling.withUnsafeBufferPointer { tokens.id(of: $0) } ?? -1
        }
    }

    /// The token `<0xHH>` of each byte value, which stands for a byte of a character without a
    /// token; -1 where there is none.
    var fallbackTokens: [Int32] {
        (0...255).map { tokens.id(of: SentencePieceProto.bytePiece(of: UInt8($0))) ?? -1 }
    }
}

/// Two neighbouring tokens that merge, as spelled in the file.
struct MergePair {
    var left: String
    var right: String

    /// A merge written as `left right`.
    /// - Throws: `invalidMerge`.
    init(_ text: String, index: Int) throws(TokenizationError) {
        let utf8 = text.utf8
        guard let space = utf8.firstIndex(of: UInt8(ascii: " ")), space != utf8.startIndex,
            utf8.index(after: space) != utf8.endIndex,
            !utf8[utf8.index(after: space)...].contains(UInt8(ascii: " "))
        else {
            throw .invalidMerge(
                index: index, reason: "'\(text)' is not two tokens with a space between")
        }
        left = String(text[..<space])
        right = String(text[utf8.index(after: space)...])
    }

    init(left: String, right: String) {
        self.left = left
        self.right = right
    }
}
