internal import StrictJSON

/// A directory with `config.json`, weights and tokenizer, as Hugging Face's libraries write it.
struct ModelDirectory {
    let path: String

    private static let weightsName = "model.safetensors"
    private static let indexName = "model.safetensors.index.json"
    private static let pickleNames = ["pytorch_model.bin", "pytorch_model.bin.index.json"]

    func configuration() throws(CheckpointError) -> JSONObject {
        let name = "config.json"
        guard has(name) else {
            throw .missingFile(
                name, directory: path,
                hint: "a base is a Hugging Face directory, a .safetensors with config.json beside "
                    + "it, a .gguf or a model.bin")
        }
        return try JSONFile.object(path: place(name))
    }

    func tensors() throws(CheckpointError) -> any TensorSource {
        if has(Self.indexName) { return try ShardedSafetensors(indexPath: place(Self.indexName)) }
        if has(Self.weightsName) { return try SafetensorsFile(path: place(Self.weightsName)) }
        if let pickle = Self.pickleNames.first(where: has) {
            throw .missingFile(
                Self.weightsName, directory: path,
                hint: "\(pickle) is a Python pickle, which is not read; convert it with "
                    + "transformers: AutoModelForCausalLM.from_pretrained(dir).save_pretrained(dir)"
            )
        }
        throw .missingFile(
            Self.weightsName, directory: path,
            hint: "nor \(Self.indexName): the weights are missing")
    }

    func tokenizer(configuration: JSONObject) throws(CheckpointError) -> TokenizerAssets? {
        guard let vocabulary = try vocabulary() else { return nil }
        let tokenizerConfig = try optionalObject("tokenizer_config.json")
        let generationConfig = try optionalObject("generation_config.json")
        let template = try optionalText("chat_template.jinja")
        return TokenizerAssets(
            vocabulary: vocabulary, tokenizerConfig: tokenizerConfig,
            generationConfig: generationConfig,
            specialTokensMap: try optionalObject("special_tokens_map.json"),
            addedTokens: try optionalObject("added_tokens.json"),
            chatTemplate: template ?? Self.template(in: tokenizerConfig),
            configurationEndTokens: EndTokens.listed(
                in: [configuration, generationConfig].compactMap(\.self)))
    }

    /// `tokenizer.json` when it is byte-level BPE, else `tokenizer.model`, else whatever `tokenizer.json` is.
    private func vocabulary() throws(CheckpointError) -> TokenizerAssets.Vocabulary? {
        let modelName = "tokenizer.model"
        let jsonName = "tokenizer.json"
        if has(jsonName) {
            let file = try MappedFile(path: place(jsonName))
            let object = try file.withBytes { (text) throws(CheckpointError) in
                try JSONFile.object(text, path: file.path)
            }
            if !has(modelName) || TokenizerJSONKind(object) == .byteLevel {
                return .tokenizerJSON(file.content)
            }
        }
        guard has(modelName) else { return nil }
        return .sentencePiece(modelBytes: try MappedFile(path: place(modelName)).content)
    }

    /// `chat_template` as a string, or the entry named "default" of a list of templates.
    private static func template(in tokenizerConfig: JSONObject?) -> String? {
        guard let value = tokenizerConfig?["chat_template"] else { return nil }
        if let text = value.stringValue { return text }
        let named = value.arrayValue?.compactMap(\.objectValue) ?? []
        return named.first { $0["name"] == .string("default") }?["template"]?.stringValue
    }

    private func optionalObject(_ name: String) throws(CheckpointError) -> JSONObject? {
        try JSONFile.optionalObject(path: place(name))
    }

    private func optionalText(_ name: String) throws(CheckpointError) -> String? {
        guard has(name) else { return nil }
        let file = try MappedFile(path: place(name))
        guard let text = String(validating: file.content, as: UTF8.self) else {
            throw .malformed(path: file.path, reason: "not UTF-8")
        }
        return text
    }

    private func has(_ name: String) -> Bool { FilePath.exists(place(name)) }

    private func place(_ name: String) -> String { FilePath.join(path, name) }
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

/// The ids under `eos_token_id`.
enum EndTokens {
    /// Those of all `objects`, each once; a number or a list of numbers.
    static func listed(in objects: [JSONObject]) -> [Int] {
        var tokens: [Int] = []
        for object in objects {
            let value = object["eos_token_id"]
            let ids = value?.arrayValue ?? [value].compactMap(\.self)
            for id in ids.compactMap(\.intValue) where !tokens.contains(id) { tokens.append(id) }
        }
        return tokens
    }
}
