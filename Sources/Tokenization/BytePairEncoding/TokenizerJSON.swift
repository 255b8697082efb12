import Checkpoints
import StrictJSON

/// Reads a Hugging Face `tokenizer.json` of the byte-level byte-pair kind.
struct TokenizerJSON {
    private let root: JSONField

    /// - Throws: `invalidField` when the bytes are not a JSON object.
    init(_ bytes: [UInt8]) throws(TokenizationError) {
        do {
            root = JSONField(path: "tokenizer.json", value: try JSONValue(parsing: bytes))
        } catch {
            throw .invalidField(
                field: "tokenizer.json", expected: "valid JSON", found: "not: \(error)")
        }
        _ = try root.object()
    }

    /// The tokenizer that the file describes.
    /// - Throws: `invalidField`, `unsupported`, `invalidMerge`, `invalidTokenID`, `duplicateTokenID`,
    ///   `undefinedSpecialToken` or `invalidRegularExpression`.
    func tokenizer(_ assets: TokenizerAssets) throws(TokenizationError) -> BytePairTokenizer {
        let model = root["model"]
        try checkModel(model)
        try checkDecoder(root["decoder"])
        var vocabulary = try vocabulary(model["vocab"])
        let merges = try vocabulary.mergeTable(try mergePairs(model["merges"]))
        var added = try addedTokens()
        for token in added { try vocabulary.add(token.spelling, id: token.id) }
        vocabulary.shrink()
        addNamedTokens(assets.tokenizerConfig, in: vocabulary, to: &added)
        let normalizer = try normalizer(root["normalizer"], depth: 0)
        let encoder = BytePairEncoder(
            tokens: vocabulary.tokens, merges: merges, byteTokens: vocabulary.byteTokens,
            ignoresMerges: try model["ignore_merges"].flag(absent: false),
            unknownToken: try unknownToken(model["unk_token"], in: vocabulary),
            fusesUnknown: try model["fuse_unk"].flag(absent: false))
        return BytePairTokenizer(
            encoder: encoder, normalizer: normalizer,
            preTokenizer: try PreTokenizerReader.read(root["pre_tokenizer"]),
            addedTokens: AddedTokenSet(added, normalizer: normalizer),
            surroundings: try PostProcessorReader.read(root["post_processor"]),
            tokenBytes: vocabulary.tokenBytes,
            conventions: vocabulary.conventions(
                assets, declared: try declared(vocabulary, assets.tokenizerConfig)))
    }

    private func checkModel(_ model: JSONField) throws(TokenizationError) {
        let type = model["type"].isAbsent ? "BPE" : try model["type"].string()
        guard type == "BPE" else {
            throw .unsupported(feature: "tokenizer model", name: type, supported: ["BPE"])
        }
        for name in ["continuing_subword_prefix", "end_of_word_suffix"]
        where !model[name].isAbsent && model[name].value.stringValue != "" {
            throw model[name].mismatch("empty for a byte-level vocabulary")
        }
        if try model["byte_fallback"].flag(absent: false) {
            throw .unsupported(
                feature: "tokenizer model setting", name: "byte_fallback",
                supported: ["byte-level BPE"])
        }
        guard model["dropout"].isAbsent || model["dropout"].value.doubleValue == 0 else {
            throw model["dropout"].mismatch("null, because encoding must be deterministic")
        }
    }

    private func checkDecoder(_ decoder: JSONField) throws(TokenizationError) {
        let type = try decoder["type"].string()
        guard type == "ByteLevel" else {
            throw .unsupported(feature: "tokenizer decoder", name: type, supported: ["ByteLevel"])
        }
    }

    private func vocabulary(_ field: JSONField) throws(TokenizationError) -> BytePairVocabulary {
        let object = try field.object()
        guard object.count > 0 else {
            throw .invalidField(field: field.path, expected: "a vocabulary", found: "empty")
        }
        var vocabulary = BytePairVocabulary(count: object.count)
        for (spelling, value) in object {
            guard let id = value.intValue else {
                throw .invalidTokenID(
                    token: spelling, id: value.serialized(), reason: "an id must be an integer")
            }
            try vocabulary.add(spelling, id: id)
        }
        return vocabulary
    }

    /// Merges are written as `"left right"` or as `["left", "right"]`.
    private func mergePairs(_ field: JSONField) throws(TokenizationError) -> [MergePair] {
        guard let merges = field.value.arrayValue else { throw field.mismatch("an array") }
        var pairs: [MergePair] = []
        pairs.reserveCapacity(merges.count)
        for (index, merge) in merges.enumerated() {
            if let text = merge.stringValue {
                pairs.append(try MergePair(text, index: index))
            } else if let parts = merge.arrayValue, parts.count == 2,
                let left = parts[0].stringValue, let right = parts[1].stringValue
            {
                pairs.append(MergePair(left: left, right: right))
            } else {
                throw .invalidMerge(index: index, reason: "it is \(merge.typeName), not two tokens")
            }
        }
        return pairs
    }

    private func addedTokens() throws(TokenizationError) -> [AddedToken] {
        let field = root["added_tokens"]
        guard !field.isAbsent else { return [] }
        var tokens: [AddedToken] = []
        for element in try field.elements() {
            tokens.append(try AddedToken(element, id: try element["id"].index()))
        }
        return tokens
    }

    /// Tokens that only `tokenizer_config.json` calls special.
    private func addNamedTokens(
        _ configuration: JSONObject?, in vocabulary: BytePairVocabulary,
        to added: inout [AddedToken]
    ) {
        let known = Set(added.map(\.id))
        for name in SpecialTokenNames(configuration).all {
            guard let id = vocabulary.tokens.id(of: name), !known.contains(Int(id)) else {
                continue
            }
            added.append(AddedToken(spelling: name, id: Int(id)))
        }
    }

    private func normalizer(_ field: JSONField, depth: Int) throws(TokenizationError)
        -> TextNormalizer
    {
        if field.isAbsent { return .none }
        switch try field["type"].string() {
        case "NFC": return .canonicalComposition
        case "Sequence" where depth < JSONNesting.limit:
            var result = TextNormalizer.none
            for element in try field["normalizers"].elements()
            where try normalizer(element, depth: depth + 1) == .canonicalComposition {
                result = .canonicalComposition
            }
            return result
        case let type:
            throw .unsupported(feature: "normalizer", name: type, supported: ["NFC", "Sequence"])
        }
    }

    private func unknownToken(
        _ field: JSONField, in vocabulary: BytePairVocabulary
    ) throws(TokenizationError) -> Int32? {
        if field.isAbsent { return nil }
        let name = try field.string()
        guard let token = vocabulary.tokens.id(of: name) else {
            throw .undefinedSpecialToken(name: name, field: field.path)
        }
        return token
    }

    private func declared(
        _ vocabulary: BytePairVocabulary, _ configuration: JSONObject?
    ) throws(TokenizationError) -> TokenizerConventions.Declared {
        let before = try PostProcessorReader.read(root["post_processor"]).before
        return TokenizerConventions.Declared(beginningToken: before.first)
    }
}

/// How deep steps may be nested in each other.
enum JSONNesting {
    static let limit = 8
}

extension AddedToken {
    /// An added token as `tokenizer.json` and `tokenizer_config.json` write it.
    /// - Throws: `invalidField`.
    init(_ field: JSONField, id: Int) throws(TokenizationError) {
        let isSpecial = try field["special"].flag(absent: false)
        self.init(
            spelling: try field["content"].string(), id: id, isSpecial: isSpecial,
            stripsLeft: try field["lstrip"].flag(absent: false),
            stripsRight: try field["rstrip"].flag(absent: false),
            isSingleWord: try field["single_word"].flag(absent: false),
            isNormalized: try field["normalized"].flag(absent: !isSpecial))
    }
}

extension BytePairVocabulary {
    /// What each token stands for.
    var tokenBytes: TokenBytes {
        var bytes = TokenBytes()
        for spelling in spellings {
            bytes.append(spelling.map(ByteAlphabet.bytes(spelledBy:)) ?? [])
        }
        bytes.shrink()
        return bytes
    }

    /// The conventions of a vocabulary with these tokens.
    func conventions(
        _ assets: TokenizerAssets, declared: TokenizerConventions.Declared
    ) -> TokenizerConventions {
        TokenizerConventions(
            assets, declared: declared, token: { tokens.id(of: $0).map(Int.init) },
            spelling: { spellings.indices.contains($0) ? spellings[$0] ?? "" : "" })
    }
}
