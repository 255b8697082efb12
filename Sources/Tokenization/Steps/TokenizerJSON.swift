import Checkpoints
import StrictJSON

/// Reads a Hugging Face `tokenizer.json` with a byte-pair model, over bytes or, as SentencePiece's
/// are written, over characters, or with a unigram model.
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
    /// - Throws: `invalidField`, `unsupported`, `invalidMerge`, `invalidTokenID`,
    ///   `duplicateTokenID`, `undefinedSpecialToken` or `invalidRegularExpression`.
    func tokenizer(_ assets: TokenizerAssets) throws(TokenizationError) -> SteppedTokenizer {
        let model = root["model"]
        let kind = try ModelKind(model)
        let decoder = try SpellingReader.read(root["decoder"])
        let preTokenizer = try PreTokenizerReader.read(root["pre_tokenizer"])
        let normalizer = try NormalizerReader.read(root["normalizer"])
        let surroundings = try PostProcessorReader.read(root["post_processor"])
        var own = try vocabulary(model["vocab"], kind)
        own.shrink()
        var vocabulary = own
        var added = try addedTokens()
        for token in added { try vocabulary.add(token.spelling, id: token.id) }
        let (newCount, warnings) = try AdditionalTokens(assets).join(
            &vocabulary, &added, modelCount: own.count)
        return SteppedTokenizer(
            encoder: try kind == .unigram
                ? .unigram(unigram(model, own.tokens))
                : .pairs(pairs(model, own, vocabulary, readsBytes: preTokenizer.readsBytes)),
            normalizer: normalizer, preTokenizer: preTokenizer,
            addedTokens: AddedTokenSet(added, normalizer: normalizer),
            surroundings: surroundings,
            tokenBytes: vocabulary.tokenBytes(
                decoder, except: Set(added.filter(\.isSpecial).map(\.id))),
            leadingSpace: decoder.leadingSpace,
            conventions: vocabulary.conventions(
                assets, declared: .init(beginningToken: surroundings.before.first)),
            bytePieces: vocabulary.bytePieces(decoder), additionalTokenCount: newCount,
            warnings: warnings + TokenizerKeys.warnings(assets))
    }

    private enum ModelKind: String, CaseIterable {
        case pairs = "BPE"
        case unigram = "Unigram"

        init(_ model: JSONField) throws(TokenizationError) {
            let type = model["type"].isAbsent ? "BPE" : try model["type"].string()
            guard let kind = Self(rawValue: type) else {
                throw .unsupported(
                    feature: "tokenizer model", name: type, supported: Self.allCases.map(\.rawValue)
                )
            }
            self = kind
        }
    }

    /// - Parameters:
    ///   - own: the model's tokens.
    ///   - all: those and the added ones.
    private func pairs(
        _ model: JSONField, _ own: BytePairVocabulary, _ all: BytePairVocabulary, readsBytes: Bool
    ) throws(TokenizationError) -> BytePairEncoder {
        try checkModel(model)
        let hasBytePieces = try model["byte_fallback"].flag(absent: false)
        return BytePairEncoder(
            tokens: own.tokens, merges: try own.mergeTable(try mergePairs(model["merges"])),
            symbols: readsBytes
                ? .bytes(own.byteTokens)
                : .characters(fallback: hasBytePieces ? own.fallbackTokens : nil),
            ignoresMerges: try model["ignore_merges"].flag(absent: false),
            unknownToken: try unknownToken(model["unk_token"], in: all),
            fusesUnknown: try model["fuse_unk"].flag(absent: false))
    }

    private func unigram(
        _ model: JSONField, _ tokens: TokenTable
    ) throws(TokenizationError) -> UnigramEncoder {
        let pieces = try scoredPieces(model["vocab"])
        let unknownToken = try model["unk_id"].index()
        guard pieces.indices.contains(unknownToken) else {
            throw .invalidField(
                field: model["unk_id"].path, expected: "a token of the vocabulary",
                found: "\(unknownToken)")
        }
        return try UnigramEncoder(
            pieces, unknownToken: unknownToken,
            hasBytePieces: try model["byte_fallback"].flag(absent: false), tokens: tokens)
    }

    /// A unigram vocabulary, `[[piece, log-probability], …]`, by id.
    private func scoredPieces(
        _ field: JSONField
    ) throws(TokenizationError) -> [(spelling: String, score: Double)] {
        var pieces: [(spelling: String, score: Double)] = []
        guard let elements = field.value.arrayValue else { throw field.mismatch("an array") }
        for (id, element) in elements.enumerated() {
            guard let pair = element.arrayValue, pair.count == 2,
                let spelling = pair[0].stringValue, let score = pair[1].doubleValue
            else {
                throw .invalidField(
                    field: "\(field.path)[\(id)]", expected: "a piece and its score",
                    found: element.serialized())
            }
            pieces.append((spelling, score))
        }
        return pieces
    }

    private func checkModel(_ model: JSONField) throws(TokenizationError) {
        for name in ["continuing_subword_prefix", "end_of_word_suffix"]
        where !model[name].isAbsent && model[name].value.stringValue != "" {
            throw model[name].mismatch("empty")
        }
        guard model["dropout"].isAbsent || model["dropout"].value.doubleValue == 0 else {
            throw model["dropout"].mismatch("null, because encoding must be deterministic")
        }
    }

    private func vocabulary(
        _ field: JSONField, _ kind: ModelKind
    ) throws(TokenizationError) -> BytePairVocabulary {
        if kind == .unigram {
            let pieces = try scoredPieces(field)
            var vocabulary = BytePairVocabulary(count: pieces.count)
            for (id, piece) in pieces.enumerated() { try vocabulary.add(piece.spelling, id: id) }
            return vocabulary
        }
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
    /// What each token stands for; `verbatim` ones, which stand for no text, are spelled as they
    /// are where characters are not bytes.
    func tokenBytes(_ decoder: TokenSpelling, except verbatim: Set<Int> = []) -> TokenBytes {
        var bytes = TokenBytes()
        for (id, spelling) in spellings.enumerated() {
            let isVerbatim = decoder != .byteLevel && verbatim.contains(id)
            bytes.append(spelling.map { isVerbatim ? Array($0.utf8) : decoder.bytes(of: $0) } ?? [])
        }
        bytes.shrink()
        return bytes
    }

    /// Tokens that stand for a byte of a character without a token, and which.
    func bytePieces(_ decoder: TokenSpelling) -> [Int: UInt8] {
        guard decoder.hasBytePieces else { return [:] }
        var pieces: [Int: UInt8] = [:]
        for (id, spelling) in spellings.enumerated() {
            if let byte = spelling.flatMap({ decoder.byteValue(of: $0) }) { pieces[id] = byte }
        }
        return pieces
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
