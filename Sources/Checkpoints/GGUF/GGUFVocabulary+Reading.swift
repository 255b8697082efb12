extension GGUFVocabulary {
    /// Reads the vocabulary of a file, whatever its architecture and tensor types.
    ///
    /// - Throws: `CheckpointError.malformed` where it has none, or where lists differ in length.
    public init(from file: GGUFFile) throws(CheckpointError) {
        let values = file.values
        guard let model = try values.text("tokenizer.ggml.model"),
            let pieces = try values.byteStrings("tokenizer.ggml.tokens"), !pieces.isEmpty
        else {
            throw .malformed(
                path: file.path,
                reason:
                    "no vocabulary: 'tokenizer.ggml.model' or 'tokenizer.ggml.tokens' is missing")
        }
        let scores = try values.floats("tokenizer.ggml.scores") ?? []
        let types = try values.integers("tokenizer.ggml.token_type") ?? []
        for (key, count) in [("scores", scores.count), ("token_type", types.count)]
        where count != 0 && count != pieces.count {
            throw .malformed(
                path: file.path,
                reason: "'tokenizer.ggml.\(key)' has \(count) elements for \(pieces.count) tokens")
        }
        if let index = scores.firstIndex(where: { !$0.isFinite }) {
            throw .malformed(path: file.path, reason: "the score of token \(index) is not finite")
        }
        let ids = TokenIdentifiers(values: values, tokenCount: pieces.count, path: file.path)
        self.init(
            model: model, preTokenizer: try values.text("tokenizer.ggml.pre"), pieces: pieces,
            scores: scores, types: types, merges: try Self.merges(values, file.path),
            beginningToken: try ids.token("bos"), endToken: try ids.token("eos"),
            unknownToken: try ids.token("unknown"), paddingToken: try ids.token("padding"),
            endOfTurnTokens: try ids.endOfTurnTokens(),
            addsBeginning: try values.flag("tokenizer.ggml.add_bos_token"),
            addsEnd: try values.flag("tokenizer.ggml.add_eos_token"),
            addsSpacePrefix: try values.flag("tokenizer.ggml.add_space_prefix"))
    }

    private static func merges(
        _ values: GGUFValues, _ path: String
    ) throws(CheckpointError) -> [String] {
        let stored = try values.byteStrings("tokenizer.ggml.merges") ?? []
        var merges: [String] = []
        merges.reserveCapacity(stored.count)
        for (index, bytes) in stored.enumerated() {
            guard let merge = String(validating: bytes, as: UTF8.self) else {
                throw .malformed(path: path, reason: "merge \(index) is not UTF-8")
            }
            merges.append(merge)
        }
        return merges
    }
}

/// The keys that name single tokens.
private struct TokenIdentifiers {
    let values: GGUFValues
    let tokenCount: Int
    let path: String

    func token(_ name: String) throws(CheckpointError) -> Int? {
        let key = "tokenizer.ggml.\(name)_token_id"
        guard let id = try values.count(key) else { return nil }
        // Writers store -1 as an unsigned number for "none".
        if id == Int(UInt32.max) { return nil }
        guard id < tokenCount else {
            throw .malformed(
                path: path, reason: "'\(key)' is \(id), there are \(tokenCount) tokens")
        }
        return id
    }

    func endOfTurnTokens() throws(CheckpointError) -> [Int] {
        var tokens: [Int] = []
        for name in ["eot", "eom"] {
            if let id = try token(name), !tokens.contains(id) { tokens.append(id) }
        }
        return tokens
    }
}
