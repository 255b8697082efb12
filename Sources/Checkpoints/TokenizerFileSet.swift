public import StrictJSON

/// The files beside weights that say how text becomes tokens, as Hugging Face's libraries name
/// them.
///
/// **Source**: `PreTrainedTokenizerBase.save_pretrained` of transformers 5.
public struct TokenizerFileSet: Sendable, Equatable {
    private static let model = "tokenizer.model"
    private static let json = "tokenizer.json"
    private static let configuration = "tokenizer_config.json"
    private static let generation = "generation_config.json"
    private static let specialTokens = "special_tokens_map.json"
    private static let addedTokens = "added_tokens.json"
    private static let template = "chat_template.jinja"
    private static let processorTemplate = "chat_template.json"

    /// Every file that may be there.
    public static let names = [
        json, model, configuration, generation, specialTokens, addedTokens, template,
        processorTemplate,
    ]

    /// What each file holds, byte for byte.
    public var contents: [String: [UInt8]]
    /// Where they are, for messages.
    public let directory: String

    public init(contents: [String: [UInt8]], directory: String) {
        self.contents = contents
        self.directory = directory
    }

    public var isEmpty: Bool { contents.isEmpty }

    /// The tokenizer that these files make by themselves; nil where they have no vocabulary.
    ///
    /// - Parameter modelConfiguration: `config.json`, which may list end tokens as well.
    /// - Throws: `CheckpointError` where a file isn't what its name says.
    public func assets(modelConfiguration: JSONObject?) throws(CheckpointError) -> TokenizerAssets?
    {
        guard let vocabulary = try vocabulary() else { return nil }
        let tokenizerConfig = try object(Self.configuration)
        let generationConfig = try object(Self.generation)
        let templates = try chatTemplates()
        return TokenizerAssets(
            vocabulary: vocabulary, tokenizerConfig: tokenizerConfig,
            generationConfig: generationConfig, specialTokensMap: try object(Self.specialTokens),
            addedTokens: try object(Self.addedTokens), chatTemplate: templates.standard,
            chatTemplateNames: templates.names,
            configurationEndTokens: EndTokens.listed(
                in: [modelConfiguration, generationConfig].compactMap(\.self)))
    }

    /// The tokenizer of a base's adapter that came with these files: what they don't say, the base
    /// says.
    ///
    /// Files with a vocabulary stand for the whole tokenizer; others change the base's.
    ///
    /// - Throws: `CheckpointError` where a file isn't what its name says.
    public func assets(over base: TokenizerAssets?) throws(CheckpointError) -> TokenizerAssets? {
        if var own = try assets(modelConfiguration: nil) {
            guard let base else { return own }
            if own.chatTemplate == nil, own.chatTemplateNames.isEmpty {
                own.chatTemplate = base.chatTemplate
                own.chatTemplateNames = base.chatTemplateNames
            }
            own.generationConfig = own.generationConfig ?? base.generationConfig
            own.addEndTokens(base.configurationEndTokens)
            return own
        }
        guard var changed = base else { return nil }
        let templates = try chatTemplates()
        if templates != ChatTemplateSet() {
            changed.chatTemplate = templates.standard
            changed.chatTemplateNames = templates.names
        }
        let configuration = try object(Self.configuration)
        changed.tokenizerConfig = Self.joined(changed.tokenizerConfig, configuration)
        // One template counts, and it is in the set by now.
        changed.tokenizerConfig?["chat_template"] = nil
        changed.specialTokensMap = try object(Self.specialTokens) ?? changed.specialTokensMap
        let addedTokens = try object(Self.addedTokens)
        changed.addedTokens = Self.joined(changed.addedTokens, addedTokens)
        if configuration?["added_tokens_decoder"] == nil, let addedTokens {
            changed.tokenizerConfig = Self.decoding(addedTokens, too: changed.tokenizerConfig)
        }
        if let generation = try object(Self.generation) {
            changed.generationConfig = generation
            changed.addEndTokens(EndTokens.listed(in: [generation]))
        }
        return changed
    }

    /// `tokenizer.json` when it is byte-level BPE, else `tokenizer.model`, else whatever
    /// `tokenizer.json` is.
    private func vocabulary() throws(CheckpointError) -> TokenizerAssets.Vocabulary? {
        let model = contents[Self.model]
        if let text = contents[Self.json], let object = try object(Self.json),
            model == nil || TokenizerJSONKind(object) == .byteLevel
        {
            return .tokenizerJSON(text)
        }
        return model.map { .sentencePiece(modelBytes: $0) }
    }

    /// `chat_template.jinja`, or `chat_template` of `tokenizer_config.json`, or that of
    /// `chat_template.json`.
    private func chatTemplates() throws(CheckpointError) -> ChatTemplateSet {
        if let content = contents[Self.template] {
            guard let text = String(validating: content, as: UTF8.self) else {
                throw .malformed(path: path(Self.template), reason: "not UTF-8")
            }
            return ChatTemplateSet(standard: text)
        }
        let own = ChatTemplateSet(try object(Self.configuration)?["chat_template"])
        guard own == ChatTemplateSet() else { return own }
        return ChatTemplateSet(try object(Self.processorTemplate)?["chat_template"])
    }

    /// An adapter's `added_tokens.json` counts beside an `added_tokens_decoder` of the base, too,
    /// which would hide it.
    private static func decoding(
        _ addedTokens: JSONObject, too configuration: JSONObject?
    ) -> JSONObject? {
        guard var decoder = configuration?["added_tokens_decoder"]?.objectValue else {
            return configuration
        }
        for (spelling, id) in addedTokens {
            let known = decoder.contains {
                $0.value.objectValue?["content"]?.stringValue?.utf8.elementsEqual(spelling.utf8)
                    ?? false
            }
            guard !known, let id = id.intValue else { continue }
            decoder["\(id)"] = .object(["content": .string(spelling)])
        }
        var result = configuration
        result?["added_tokens_decoder"] = .object(decoder)
        return result
    }

    private func object(_ name: String) throws(CheckpointError) -> JSONObject? {
        guard let text = contents[name] else { return nil }
        return try JSONFile.object(text, path: path(name))
    }

    private func path(_ name: String) -> String { FilePath.join(directory, name) }

    /// `changes` over `object`, key by key.
    private static func joined(_ object: JSONObject?, _ changes: JSONObject?) -> JSONObject? {
        guard var result = object else { return changes }
        for (key, value) in changes ?? [:] { result[key] = value }
        return result
    }
}

extension TokenizerAssets {
    fileprivate mutating func addEndTokens(_ tokens: [Int]) {
        configurationEndTokens += tokens.filter { !configurationEndTokens.contains($0) }
    }
}

/// Which kind of tokenizer a `tokenizer.json` describes, as far as choosing between files needs it.
enum TokenizerJSONKind: Equatable {
    case byteLevel
    case other

    init(_ object: JSONObject) {
        let isPairEncoding = object["model"]?.objectValue?["type"]?.stringValue ?? "BPE" == "BPE"
        let isByteLevel =
            Self.namesByteLevel(object["pre_tokenizer"]) || Self.namesByteLevel(object["decoder"])
        self = isPairEncoding && isByteLevel ? .byteLevel : .other
    }

    /// Whether a component, or one of the sequence that it is, has type "ByteLevel".
    private static func namesByteLevel(_ component: JSONValue?) -> Bool {
        guard let object = component?.objectValue else { return false }
        if object["type"] == .string("ByteLevel") { return true }
        let parts = object["pretokenizers"]?.arrayValue ?? object["decoders"]?.arrayValue ?? []
        return parts.contains { $0.objectValue?["type"] == .string("ByteLevel") }
    }
}
