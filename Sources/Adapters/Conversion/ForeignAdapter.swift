internal import Checkpoints
internal import StrictJSON

/// Adapters in the forms of other libraries, wherever the files determine everything: llama.cpp's
/// GGUF LoRA, loralib's state dicts, THUDM's prefix encoders and AdapterHub's directories, read and
/// said in PEFT's terms.
///
/// State dicts carry no settings: those stand in a small JSON file beside the weights, or under the
/// same keys, as text, in the metadata of the safetensors file.
enum ForeignAdapter {
    /// Names that a directory of such an adapter may hold.
    static var fileNames: [String] {
        [
            Loralib.configurationName, Loralib.tensorName, PrefixEncoder.configurationName,
            PrefixEncoder.tensorName,
        ] + AdapterHub.tensorNames + AdapterHub.headNames
    }

    /// The adapter of an AdapterHub directory; nil for everything else.
    ///
    /// - Parameter configurationFile: which is there.
    /// - Throws: `AdapterError` for one that is, and is damaged, incomplete or can't be served.
    static func adapterHub(
        directory: String, configurationFile: String, _ reader: FileReader
    ) throws(AdapterError) -> AdapterFile? {
        let configuration = try AdapterConfiguration(
            parsing: try reader.bytes(
                of: configurationFile, limit: AdapterConfiguration.byteCountLimit),
            file: configurationFile)
        guard AdapterHub.describes(configuration) else { return nil }
        guard let file = try reader.first(of: AdapterHub.tensorNames, in: directory) else {
            throw .notAnAdapter(
                path: directory,
                found: "a directory without \(AdapterHub.tensorNames[0]) or pytorch_adapter.bin")
        }
        let head = try reader.first(of: AdapterHub.headNames, in: directory)
        let adapter = try AdapterHub.adapter(
            try ForeignTensors(reading: file, reader), configuration,
            head: try head.map { (path) throws(AdapterError) in
                try ForeignTensors(reading: path, reader)
            })
        return try AdapterFile(
            adapter, file: file, configurationFile: configurationFile,
            tokenizerFiles: try AdapterFile.tokenizerFiles(in: directory, reader))
    }

    /// The adapter of a directory without `adapter_config.json`; nil where it isn't one of these.
    ///
    /// - Throws: `AdapterError` for one that is, and is damaged or incomplete.
    static func open(
        directory: String, _ reader: FileReader
    ) throws(AdapterError) -> AdapterFile? {
        if let file = try reader.first(
            of: [Loralib.tensorName, PrefixEncoder.tensorName], in: directory)
        {
            return try open(
                SafetensorsContent(reading: file, reader), reader,
                tokenizerFiles: try AdapterFile.tokenizerFiles(in: directory, reader))
        }
        for (name, found) in AdapterHub.compositions
        where try reader.kind(of: directory + name) != .missing {
            throw .notAnAdapter(path: directory + name, found: found)
        }
        return nil
    }

    /// The adapter of a safetensors file that is no `.lora`; nil where it isn't one of these.
    ///
    /// - Throws: as above.
    static func open(
        _ content: SafetensorsContent, _ reader: FileReader,
        tokenizerFiles: TokenizerFileSet? = nil
    ) throws(AdapterError) -> AdapterFile? {
        let tensors = ForeignTensors(
            path: content.path, tensors: content.tensors, metadata: content.metadata)
        guard let adapter = try adapter(tensors, overrides: [:], reader) else { return nil }
        return try AdapterFile(
            adapter, file: content.path, tokenizerFiles: tokenizerFiles)
    }

    /// - Parameter overrides: settings that go before those of the files.
    static func adapter(
        _ tensors: ForeignTensors, overrides: JSONObject, _ reader: FileReader
    ) throws(AdapterError) -> PEFTAdapter? {
        if Loralib.holds(tensors) {
            try tensors.checkElements()
            let settings = try tensors.settings(
                Loralib.configurationName, overrides: overrides, reader)
            return try Loralib.adapter(tensors, settings)
        }
        if PrefixEncoder.holds(tensors) {
            try tensors.checkElements()
            let settings = try tensors.settings(
                PrefixEncoder.configurationName, overrides: overrides, reader)
            return try PrefixEncoder.adapter(tensors, settings)
        }
        return nil
    }
}

/// The tensors of a state dict, and where to look for its settings.
struct ForeignTensors {
    let path: String
    let tensors: [AdapterTensor]
    let metadata: [String: String]

    init(path: String, tensors: [AdapterTensor], metadata: [String: String]) {
        self.path = path
        self.tensors = tensors
        self.metadata = metadata
    }

    /// The tensors of a safetensors file, or of one that `torch.save` wrote: nothing in that is
    /// run; bare pickles of torch before 1.6 aren't read.
    ///
    /// - Throws: `AdapterError.pickle`, `.damagedFile`, and as `SafetensorsContent`.
    init(reading file: String, _ reader: FileReader) throws(AdapterError) {
        guard try reader.isPickle(file) else {
            let content = try SafetensorsContent(reading: file, reader)
            self.init(path: file, tensors: content.tensors, metadata: content.metadata)
            return
        }
        guard try reader.start(of: file, count: 2) == Array("PK".utf8) else {
            throw .pickle(path: file)
        }
        let content = try reader.copy(of: file, limit: SafetensorsContent.byteCountLimit)
        let archive: TorchArchive
        do throws(CheckpointError) { archive = try TorchArchive(file: content) } catch {
            throw .damagedFile(error.description)
        }
        self.init(path: file, tensors: archive.tensors.map(AdapterTensor.init), metadata: [:])
    }

    /// - Throws: `AdapterError.wrongShape` for a tensor without elements, as sharded trainers leave
    ///   them.
    func checkElements() throws(AdapterError) {
        for tensor in tensors where tensor.shape.contains(0) {
            throw .wrongShape(
                tensor: tensor.name, expected: tensor.shape.map { max(1, $0) }, found: tensor.shape,
                reason: "it has no values: gather a sharded model before it is saved", file: path)
        }
    }

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
            try checkMetadata(object, file: file)
        } else {
            for (key, text) in metadata.sorted(by: { $0.key < $1.key }) {
                object[key] = Self.value(text)
            }
        }
        for (key, value) in overrides { object[key] = value }
        return AdapterConfiguration(object, file: file)
    }

    private static func value(_ text: String) -> JSONValue {
        (try? JSONValue(parsing: text)) ?? .string(text)
    }

    /// What a settings file and the metadata both say must be the same.
    private func checkMetadata(_ object: JSONObject, file: String) throws(AdapterError) {
        for (key, text) in metadata.sorted(by: { $0.key < $1.key }) where key != "format" {
            guard let stated = object[key] else { continue }
            let value = Self.value(text)
            guard stated != value,
                stated.doubleValue == nil || stated.doubleValue != value.doubleValue
            else { continue }
            throw .invalidSetting(
                key, value: stated.excerpt,
                expected: "\(value.excerpt), as the metadata of \(path) say",
                file: file)
        }
    }
}
