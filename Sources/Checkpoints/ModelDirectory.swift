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
        var files = TokenizerFileSet(contents: [:], directory: path)
        for name in TokenizerFileSet.names where has(name) {
            files.contents[name] = try MappedFile(path: place(name)).content
        }
        var assets = try files.assets(modelConfiguration: configuration)
        assets?.chatTemplateNames += additionalTemplateNames
        return assets
    }

    /// Templates in files of their own, which count where a request names one.
    private var additionalTemplateNames: [String] {
        let suffix = ".jinja"
        return FilePath.names(in: place("additional_chat_templates"))
            .filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }.sorted()
    }

    private func has(_ name: String) -> Bool { FilePath.exists(place(name)) }

    private func place(_ name: String) -> String { FilePath.join(path, name) }
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
