internal import Checkpoints
internal import StrictJSON

/// Adapters in the forms of other libraries, wherever the files determine everything: llama.cpp's GGUF
/// LoRA, loralib's state dicts and THUDM's prefix encoders, read and said in PEFT's terms.
///
/// State dicts carry no settings: those stand in a small JSON file beside the weights, or under the
/// same keys, as text, in the metadata of the safetensors file.
enum ForeignAdapter {
    /// Names that a directory of such an adapter may hold.
    static var fileNames: [String] {
        [
            Loralib.configurationName, Loralib.tensorName, PrefixEncoder.configurationName,
            PrefixEncoder.tensorName,
        ]
    }

    /// The adapter of a directory without `adapter_config.json`; nil where it isn't one of these.
    ///
    /// - Throws: `AdapterError` for one that is, and is damaged or incomplete.
    static func open(
        directory: String, _ reader: FileReader
    ) throws(AdapterError) -> AdapterFile? {
        for name in [Loralib.tensorName, PrefixEncoder.tensorName]
        where try reader.kind(of: directory + name) != .missing {
            return try open(SafetensorsContent(reading: directory + name, reader), reader)
        }
        return nil
    }

    /// The adapter of a safetensors file that is no `.lora`; nil where it isn't one of these.
    ///
    /// - Throws: as above.
    static func open(
        _ content: SafetensorsContent, _ reader: FileReader
    ) throws(AdapterError) -> AdapterFile? {
        let tensors = ForeignTensors(
            path: content.path, tensors: content.tensors, metadata: content.metadata)
        guard let adapter = try adapter(tensors, overrides: [:], reader) else { return nil }
        return try AdapterFile(adapter, file: content.path)
    }

    /// - Parameter overrides: settings that go before those of the files.
    static func adapter(
        _ tensors: ForeignTensors, overrides: JSONObject, _ reader: FileReader
    ) throws(AdapterError) -> PEFTAdapter? {
        if Loralib.holds(tensors) {
            let settings = try tensors.settings(
                Loralib.configurationName, overrides: overrides, reader)
            return try Loralib.adapter(tensors, settings)
        }
        if PrefixEncoder.holds(tensors) {
            let settings = try tensors.settings(
                PrefixEncoder.configurationName, overrides: overrides, reader)
            return try PrefixEncoder.adapter(tensors, settings)
        }
        return nil
    }

    private static func opened(
        _ body: () throws(CheckpointError) -> GGUFFile
    ) throws(AdapterError) -> GGUFFile {
        do { return try body() } catch { throw .damagedFile(error.description) }
    }

    static func isGGUF(_ path: String, _ reader: FileReader) throws(AdapterError) -> Bool {
        try reader.start(of: path, count: 4) == Array("GGUF".utf8)
    }

    /// - Throws: `AdapterError`; a GGUF of a model is no adapter.
    static func gguf(
        _ path: String, _ reader: FileReader, _ extent: AdapterFile.Extent
    ) throws(AdapterError) -> AdapterFile {
        // Bases are GGUF files as well, and too large to copy before that is known.
        var file = try opened { () throws(CheckpointError) in try GGUFFile(path: path) }
        try GGUFLoRA.checkKind(file)
        if case .whole = extent {
            let bytes = try reader.bytes(of: path, limit: SafetensorsContent.byteCountLimit)
            file = try opened { () throws(CheckpointError) in
                try GGUFFile(file: MappedFile(copying: bytes, path: path))
            }
        }
        let lora = try GGUFLoRA(file)
        var result = try AdapterFile(lora.adapter, file: path, extent: extent)
        result.queryKeyRowsArePermuted = lora.queryKeyRowsArePermuted
        return result
    }
}

/// The tensors of a state dict, and where to look for its settings.
struct ForeignTensors {
    let path: String
    let tensors: [AdapterTensor]
    let metadata: [String: String]

    /// The settings: of the options, else of the file's metadata, else of the JSON file beside it.
    ///
    /// - Throws: `AdapterError.configuration` where that file is no JSON object.
    func settings(
        _ name: String, overrides: JSONObject, _ reader: FileReader
    ) throws(AdapterError) -> AdapterConfiguration {
        let separator = path.lastIndex(of: "/")
        let beside = (separator.map { String(path[...$0]) } ?? "./") + name
        var object = JSONObject()
        var file = path
        if metadata["format"] == nil || metadata["format"] == "pt",
            try reader.kind(of: beside) != .missing
        {
            let text = try reader.bytes(of: beside, limit: AdapterConfiguration.byteCountLimit)
            object = try AdapterConfiguration(parsing: text, file: beside).object
            file = beside
        } else {
            for (key, text) in metadata.sorted(by: { $0.key < $1.key }) {
                object[key] = (try? JSONValue(parsing: text)) ?? .string(text)
            }
        }
        for (key, value) in overrides { object[key] = value }
        return AdapterConfiguration(object, file: file)
    }
}
