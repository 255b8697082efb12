internal import StrictJSON

/// A directory with `config.json`, weights and tokenizer, as Hugging Face's libraries write it.
struct ModelDirectory {
    let path: String

    private static let weightsName = "model.safetensors"
    static let indexName = "model.safetensors.index.json"
    private static let pickleNames = ["pytorch_model.bin", "pytorch_model.bin.index.json"]

    func configuration() throws(CheckpointError) -> JSONObject {
        let name = "config.json"
        guard has(name) else {
            if has("adapter_config.json") {
                throw .missingFile(
                    name, directory: path,
                    hint: "it holds an adapter, which is no base: give it with --adapter")
            }
            throw .missingFile(
                name, directory: path,
                hint: "a base is a Hugging Face directory, a .safetensors with config.json beside "
                    + "it, a .gguf or a model.bin")
        }
        return try JSONFile.object(path: place(name))
    }

    func tensors() throws(CheckpointError) -> any TensorSource {
        // Where both are, transformers reads the single file.
        if has(Self.weightsName) { return try SafetensorsFile(path: place(Self.weightsName)) }
        if has(Self.indexName) { return try ShardedSafetensors(indexPath: place(Self.indexName)) }
        if let pickle = Self.pickleNames.first(where: has) {
            throw .missingFile(
                Self.weightsName, directory: path,
                hint: "\(pickle) is a Python pickle, which is not read; convert it with "
                    + "transformers: AutoModelForCausalLM.from_pretrained(dir).save_pretrained(dir)"
            )
        }
        let others = FilePath.names(in: path).filter { $0.hasSuffix(".safetensors") }.sorted()
        if let other = others.first {
            throw .missingFile(
                Self.weightsName, directory: path,
                hint: "nor \(Self.indexName): where all weights are in \(other), give that file as "
                    + "the base")
        }
        throw .missingFile(
            Self.weightsName, directory: path,
            hint: "nor \(Self.indexName): the weights are missing")
    }

    /// What the user should know of the files.
    func warnings() throws(CheckpointError) -> [String] {
        var warnings = try generationWarnings()
        if has(Self.weightsName), has(Self.indexName) {
            warnings.append(
                "\(path): \(Self.weightsName) is read, as by transformers, and "
                    + "\(Self.indexName) with its shards is not")
        }
        return warnings
    }

    /// Keys of `generation_config.json` that nobody here has heard of.
    func generationWarnings() throws(CheckpointError) -> [String] {
        let name = "generation_config.json"
        guard has(name) else { return [] }
        let object = try JSONFile.object(path: place(name))
        return [
            GenerationKeys.table.warning(aboutUnknown: object.keys, path: place(name))
        ].compactMap(\.self)
    }

    /// - Throws: `CheckpointError.malformed` for one shard of several.
    func checkIsWhole(_ file: String) throws(CheckpointError) {
        let name = FilePath.name(of: file)
        guard has(Self.indexName), name.wholeMatch(of: /.+-\d{5}-of-\d{5}\.safetensors/) != nil
        else { return }
        throw .malformed(
            path: file,
            reason: "this is one shard of a checkpoint: give its directory, \(path), as the base")
    }

    /// The GGUF file of a directory that holds the files of one model in that form and no other.
    ///
    /// - Throws: `CheckpointError.malformed` where there are several models.
    func onlyGGUF() throws(CheckpointError) -> String? {
        guard !has("config.json") else { return nil }
        let names = FilePath.names(in: path).filter { $0.hasSuffix(".gguf") }.sorted()
        guard let first = names.first else { return nil }
        let siblings =
            GGUFPartName(first).map { part in (0..<part.count).map(part.name) } ?? [first]
        guard names.allSatisfy(siblings.contains) else {
            throw .malformed(
                path: path,
                reason: "it holds several GGUF files: give one of them as the base, for example "
                    + first)
        }
        return place(first)
    }

    func tokenizer(configuration: JSONObject) throws(CheckpointError) -> TokenizerAssets? {
        var files = TokenizerFileSet(contents: [:], directory: path)
        for name in TokenizerFileSet.names where has(name) {
            files.contents[name] =
                try MappedFile(
                    reading: place(name), limit: CheckpointLimits.tokenizerFileByteCount
                ).content
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
