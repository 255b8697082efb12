public import Checkpoints
internal import StrictJSON

extension TokenizerAssets {
    /// Settings of `tokenizer_config.json` that change what a tokenizer does.
    private static let settings = [
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
        "additional_special_tokens", "extra_special_tokens", "add_bos_token", "add_eos_token",
        "legacy", "added_tokens_decoder",
    ]

    /// Everything that the tokenizer is made of, as text with lengths in front: equal for files that
    /// differ only in what trainers leave behind, such as padding and truncation.
    ///
    /// - Parameter base: whose vocabulary is not spelled out.
    public func canonicalForm(beside base: TokenizerAssets?) -> [UInt8] {
        var form: [UInt8] = []
        func add(_ part: [UInt8]) {
            form += Array("\(part.count):".utf8) + part
        }
        add(vocabulary == base?.vocabulary ? [] : vocabularyForm(beside: base))
        add(Array((chatTemplate ?? "").utf8))
        add(Array(configurationEndTokens.sorted().description.utf8))
        add(Self.text(addedTokens ?? [:]))
        var meant = JSONObject()
        for name in Self.settings {
            if let value = tokenizerConfig?[name], !value.isNull { meant[name] = value }
        }
        add(Self.text(meant))
        return form
    }

    /// A base's tokenizer with the tokens that a `tokenizer.json` of whatever kind adds to it, its chat
    /// template and its end tokens.
    ///
    /// Such a file says in another form what a SentencePiece model says; it is taken apart only as far
    /// as to see that it lists the base's tokens under their ids.
    ///
    /// - Returns: nil where it lists others, and where the base has a `tokenizer.json` itself.
    public func asAdditions(
        to base: TokenizerAssets
    ) throws(TokenizationError) -> TokenizerAssets? {
        if case .tokenizerJSON = base.vocabulary { return nil }
        guard case .tokenizerJSON(let text) = vocabulary,
            let root = (try? JSONValue(parsing: text))?.objectValue
        else { return nil }
        let known = try TokenizerLoader.load(base)
        var added: [Int: JSONObject] = [:]
        for token in root["added_tokens"]?.arrayValue?.compactMap(\.objectValue) ?? [] {
            if let id = token["id"]?.intValue { added[id] = token }
        }
        var listed = Set(added.keys)
        for (id, piece) in Self.pieces(root["model"]?.objectValue?["vocab"]) {
            listed.insert(id)
            guard added[id] != nil || known.spelling(of: id) == Self.spelling(piece) else {
                return nil
            }
        }
        guard listed.isSuperset(of: 0..<known.tokenCount) else { return nil }
        var result = base
        result.chatTemplate = chatTemplate
        result.configurationEndTokens = configurationEndTokens
        result.tokenizerConfig = Self.configuration(
            base.tokenizerConfig, tokenizerConfig, added: added)
        return result
    }

    /// The base's settings with the names of an adapter's special tokens, and its added tokens.
    private static func configuration(
        _ base: JSONObject?, _ own: JSONObject?, added: [Int: JSONObject]
    ) -> JSONObject {
        var result = base ?? JSONObject()
        for name in settings where name.hasSuffix("_token") || name.hasSuffix("_tokens") {
            if let value = own?[name] { result[name] = value }
        }
        var decoder = JSONObject()
        for (id, token) in added.sorted(by: { $0.key < $1.key }) {
            decoder["\(id)"] = .object(token)
        }
        result["added_tokens_decoder"] = .object(decoder)
        return result
    }

    /// `{piece: id}` of byte pairs, or `[[piece, score]]` of a unigram model.
    private static func pieces(_ vocabulary: JSONValue?) -> [(Int, String)] {
        if let object = vocabulary?.objectValue {
            return object.compactMap { piece, id in id.intValue.map { ($0, piece) } }
        }
        return (vocabulary?.arrayValue ?? []).enumerated().map { id, entry in
            (id, entry.arrayValue?.first?.stringValue ?? "")
        }
    }

    /// What a piece of a SentencePiece vocabulary stands for.
    private static func spelling(_ piece: String) -> [UInt8] {
        if piece.hasPrefix("<0x"), piece.hasSuffix(">"), piece.utf8.count == 6,
            let byte = UInt8(piece.dropFirst(3).dropLast(), radix: 16)
        {
            return [byte]
        }
        return Array(piece.replacing("▁", with: " ").utf8)
    }

    private func vocabularyForm(beside base: TokenizerAssets?) -> [UInt8] {
        switch vocabulary {
        case .sentencePiece(let model): return model
        case .gguf(let vocabulary): return Array("\(vocabulary)".utf8)
        case .tokenizerJSON(let text):
            let own = Self.withoutPadding(text)
            guard case .tokenizerJSON(let others) = base?.vocabulary,
                Self.withoutPadding(others) == own
            else { return own }
            return []
        }
    }

    private static func withoutPadding(_ text: [UInt8]) -> [UInt8] {
        guard var object = (try? JSONValue(parsing: text))?.objectValue else { return text }
        for name in ["padding", "truncation"] where object[name] != nil { object[name] = .null }
        return Self.text(object)
    }

    private static func text(_ object: JSONObject) -> [UInt8] {
        Array(JSONValue.object(object).serialized().utf8)
    }
}
