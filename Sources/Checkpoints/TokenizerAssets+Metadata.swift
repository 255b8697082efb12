internal import StrictJSON

/// How tokenizer assets stand in the metadata of a `model.bin`: a kind, a vocabulary and optional
/// settings.
extension TokenizerAssets {
    private enum Key {
        static let kind = "graft.tokenizer.kind"
        static let vocabulary = "graft.tokenizer.vocabulary"
        static let tokenizerConfig = "graft.tokenizer.config"
        static let generationConfig = "graft.tokenizer.generation_config"
        static let specialTokensMap = "graft.tokenizer.special_tokens_map"
        static let addedTokens = "graft.tokenizer.added_tokens"
        static let chatTemplate = "graft.tokenizer.chat_template"
        static let chatTemplateNames = "graft.tokenizer.chat_template_names"
        static let endTokens = "graft.tokenizer.end_tokens"
    }

    private enum Kind: String, CaseIterable {
        /// The vocabulary is base64.
        case sentencePiece = "sentencepiece"
        /// The vocabulary is the file's text.
        case tokenizerJSON = "tokenizer.json"
        /// The vocabulary is compact JSON.
        case gguf
    }

    /// The assets as strings for the metadata of a safetensors file; `init(metadata:path:)` reads
    /// them.
    public func metadata() -> [String: String] {
        var metadata: [String: String] = [:]
        switch vocabulary {
        case .sentencePiece(let modelBytes):
            metadata[Key.kind] = Kind.sentencePiece.rawValue
            metadata[Key.vocabulary] = Base64.encode(modelBytes)
        case .tokenizerJSON(let bytes):
            metadata[Key.kind] = Kind.tokenizerJSON.rawValue
            metadata[Key.vocabulary] = String(decoding: bytes, as: UTF8.self)
        case .gguf(let vocabulary):
            metadata[Key.kind] = Kind.gguf.rawValue
            metadata[Key.vocabulary] = JSONValue.object(vocabulary.jsonObject()).serialized()
        }
        metadata[Key.tokenizerConfig] = tokenizerConfig.map(Self.text)
        metadata[Key.generationConfig] = generationConfig.map(Self.text)
        metadata[Key.specialTokensMap] = specialTokensMap.map(Self.text)
        metadata[Key.addedTokens] = addedTokens.map(Self.text)
        metadata[Key.chatTemplate] = chatTemplate
        if !chatTemplateNames.isEmpty {
            metadata[Key.chatTemplateNames] =
                JSONValue.array(chatTemplateNames.map { .string($0) }).serialized()
        }
        let endTokens = configurationEndTokens.map { JSONValue.integer(Int64($0)) }
        metadata[Key.endTokens] = JSONValue.array(endTokens).serialized()
        return metadata
    }

    /// Reads what `metadata()` wrote; nil when there is no tokenizer in it. `path` is for messages.
    ///
    /// - Throws: `CheckpointError.malformed`, which names the key.
    public init?(
        metadata: [String: String], path: String = "model.bin"
    ) throws(CheckpointError) {
        guard let kindName = metadata[Key.kind] else { return nil }
        let reader = AssetReader(metadata: metadata, path: path)
        let text = try reader.required(Key.vocabulary)
        switch Kind(rawValue: kindName) {
        case .sentencePiece:
            guard let bytes = Base64.decode(text) else {
                throw reader.malformed(Key.vocabulary, "not base64")
            }
            vocabulary = .sentencePiece(modelBytes: bytes)
        case .tokenizerJSON:
            vocabulary = .tokenizerJSON([UInt8](text.utf8))
        case .gguf:
            let object = try reader.object(Key.vocabulary) ?? JSONObject()
            guard let read = GGUFVocabulary(jsonObject: object) else {
                throw reader.malformed(Key.vocabulary, "not a vocabulary")
            }
            vocabulary = .gguf(read)
        case nil:
            let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw reader.malformed(
                Key.kind, "'\(CheckpointError.shown(kindName))'; known are \(known)")
        }
        tokenizerConfig = try reader.object(Key.tokenizerConfig)
        generationConfig = try reader.object(Key.generationConfig)
        specialTokensMap = try reader.object(Key.specialTokensMap)
        addedTokens = try reader.object(Key.addedTokens)
        chatTemplate = metadata[Key.chatTemplate]
        chatTemplateNames = try reader.texts(Key.chatTemplateNames)
        configurationEndTokens = try reader.integers(Key.endTokens)
    }

    private static func text(_ object: JSONObject) -> String {
        JSONValue.object(object).serialized()
    }
}

/// Reads values out of metadata; failures name the key.
private struct AssetReader {
    let metadata: [String: String]
    let path: String

    func required(_ key: String) throws(CheckpointError) -> String {
        guard let text = metadata[key] else {
            throw .malformed(path: path, reason: "the metadata lack '\(key)'")
        }
        return text
    }

    func object(_ key: String) throws(CheckpointError) -> JSONObject? {
        guard let value = try value(key) else { return nil }
        guard let object = value.objectValue else {
            throw malformed(key, "\(value.typeName), not an object")
        }
        return object
    }

    func integers(_ key: String) throws(CheckpointError) -> [Int] {
        guard let value = try value(key) else { return [] }
        let integers = value.arrayValue?.map(\.intValue) ?? [nil]
        guard !integers.contains(nil) else { throw malformed(key, "not a list of integers") }
        return integers.compactMap(\.self)
    }

    func texts(_ key: String) throws(CheckpointError) -> [String] {
        guard let value = try value(key) else { return [] }
        let texts = value.arrayValue?.map(\.stringValue) ?? [nil]
        guard !texts.contains(nil) else { throw malformed(key, "not a list of strings") }
        return texts.compactMap(\.self)
    }

    func malformed(_ key: String, _ reason: String) -> CheckpointError {
        .malformed(path: path, reason: "metadata '\(key)' is \(reason)")
    }

    private func value(_ key: String) throws(CheckpointError) -> JSONValue? {
        guard let text = metadata[key] else { return nil }
        do { return try JSONValue(parsing: text) } catch {
            throw malformed(key, "not JSON: \(error)")
        }
    }
}
