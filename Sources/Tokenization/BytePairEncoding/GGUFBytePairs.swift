import Checkpoints

/// Builds a tokenizer from a GGUF vocabulary of the kind “gpt2”.
enum GGUFBytePairs {
    /// GGUF's numbers of token types.
    private enum TokenType {
        static let control: Int32 = 3
        static let userDefined: Int32 = 4
    }

    /// - Throws: `unsupported`, `invalidField`, `invalidMerge`, `invalidTokenID`.
    static func tokenizer(
        _ source: GGUFVocabulary, _ assets: TokenizerAssets
    ) throws(TokenizationError) -> SteppedTokenizer {
        let known = try KnownPreTokenizers.named(source.preTokenizer ?? "default")
        let own = try vocabulary(source)
        var vocabulary = own
        var added = addedTokens(source, own)
        var (newCount, warnings) = try AdditionalTokens(assets).join(
            &vocabulary, &added, modelCount: source.pieces.count)
        if newCount > 0 { vocabulary.shrink() }
        if let warning = source.preTokenizerWarning { warnings.append(warning) }
        var pairs: [MergePair] = []
        pairs.reserveCapacity(source.merges.count)
        for (index, merge) in source.merges.enumerated() {
            pairs.append(try MergePair(merge, index: index))
        }
        let encoder = BytePairEncoder(
            tokens: own.tokens, merges: try own.mergeTable(pairs),
            symbols: .bytes(own.byteTokens), ignoresMerges: known.ignoresMerges,
            unknownToken: nil, fusesUnknown: false)
        return SteppedTokenizer(
            encoder: .pairs(encoder), normalizer: known.normalizer,
            preTokenizer: try known.preTokenizer(),
            addedTokens: AddedTokenSet(added, normalizer: known.normalizer),
            surroundings: try source.surroundings(addsBeginningByDefault: known.addsBeginning),
            tokenBytes: vocabulary.tokenBytes(.byteLevel), leadingSpace: .kept,
            conventions: vocabulary.conventions(assets, declared: source.declared),
            additionalTokenCount: newCount,
            warnings: warnings + TokenizerKeys.warnings(assets))
    }

    private static func vocabulary(
        _ source: GGUFVocabulary
    ) throws(TokenizationError) -> BytePairVocabulary {
        guard !source.pieces.isEmpty else {
            throw .invalidField(
                field: "tokenizer.ggml.tokens", expected: "a vocabulary", found: "empty")
        }
        var vocabulary = BytePairVocabulary(count: source.pieces.count)
        for (id, piece) in source.pieces.enumerated() {
            guard let spelling = String(validating: piece, as: UTF8.self) else {
                throw .invalidField(
                    field: "tokenizer.ggml.tokens[\(id)]", expected: "UTF-8", found: "not")
            }
            try vocabulary.add(spelling, id: id)
        }
        vocabulary.shrink()
        return vocabulary
    }

    private static func addedTokens(
        _ source: GGUFVocabulary, _ vocabulary: BytePairVocabulary
    ) -> [AddedToken] {
        zip(vocabulary.spellings, source.types).enumerated().compactMap { id, token in
            guard let spelling = token.0,
                [TokenType.control, TokenType.userDefined].contains(token.1)
            else { return nil }
            return AddedToken(spelling: spelling, id: id, isSpecial: token.1 == TokenType.control)
        }
    }
}

extension GGUFVocabulary {
    /// The tokens around a text.
    /// - Throws: `invalidField` when one is asked for and not defined.
    func surroundings(addsBeginningByDefault: Bool) throws(TokenizationError) -> TextSurroundings {
        let addsBeginning = self.addsBeginning ?? (addsBeginningByDefault && beginningToken != nil)
        var result = TextSurroundings()
        if addsBeginning { result.before = [try required(beginningToken, "bos_token_id")] }
        if addsEnd ?? false { result.after = [try required(endToken, "eos_token_id")] }
        return result
    }

    /// What the file says about where texts begin and end.
    var declared: TokenizerConventions.Declared {
        .init(
            beginningToken: beginningToken,
            endTokens: [endToken].compactMap { $0 } + endOfTurnTokens + spelledEndTokens)
    }

    /// What to say where the file doesn't say how text is cut.
    var preTokenizerWarning: String? {
        guard preTokenizer == nil || preTokenizer == "default" else { return nil }
        return
            "'tokenizer.ggml.pre' is \(preTokenizer == nil ? "missing" : "'default'"): text is cut "
            + "as llama.cpp cuts it then, which is seldom as the model was trained; convert the "
            + "model with a newer llama.cpp, or set the key to one of "
            + KnownPreTokenizers.names.filter { $0 != "default" }.joined(separator: ", ")
    }

    private func required(_ token: Int?, _ key: String) throws(TokenizationError) -> Int {
        guard let token, pieces.indices.contains(token) else {
            throw .invalidField(
                field: "tokenizer.ggml.\(key)", expected: "a token of the vocabulary",
                found: token.map { "\($0)" } ?? "missing")
        }
        return token
    }
}
