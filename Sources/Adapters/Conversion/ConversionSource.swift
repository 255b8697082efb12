internal import Checkpoints
internal import StrictJSON

/// Opens what is to be converted: all that a server reads, with settings that may come from elsewhere.
struct ConversionSource {
    let path: String
    /// Settings that go before those beside the weights.
    let overrides: JSONObject

    private let reader = FileReader(root: nil)
    /// What a directory's weights may be called.
    private static let tensorNames = [
        Loralib.tensorName, PrefixEncoder.tensorName, "lora.pt", "lora.bin", "prefix_encoder.pt",
        "prefix_encoder.bin",
    ]

    init(path: String, overrides: JSONObject) {
        self.path = path
        self.overrides = overrides
    }

    /// - Throws: `AdapterError` for what is no adapter, or needs settings that nobody gave.
    func file() throws(AdapterError) -> AdapterFile {
        if let adapter = try adapterHub() { return adapter }
        guard let tensors = try stateDict() else {
            return try AdapterFile.open(path, options: AdapterOptions())
        }
        guard
            let adapter = try ForeignAdapter.adapter(tensors, overrides: overrides, reader)
        else {
            return try AdapterFile.open(path, options: AdapterOptions())
        }
        return try AdapterFile(adapter, file: tensors.path)
    }

    /// The adapter of an AdapterHub directory; nil for everything else.
    private func adapterHub() throws(AdapterError) -> AdapterFile? {
        let directory = path.hasSuffix("/") ? path : path + "/"
        let name = directory + AdapterFile.configurationName
        guard try reader.kind(of: path) == .directory, try reader.kind(of: name) != .missing else {
            return nil
        }
        let configuration = try AdapterConfiguration(
            parsing: try reader.bytes(of: name, limit: AdapterConfiguration.byteCountLimit),
            file: name)
        guard AdapterHubLoRA.describes(configuration) else { return nil }
        for name in AdapterHubLoRA.tensorNames
        where try reader.kind(of: directory + name) != .missing {
            let tensors = try tensors(directory + name)
            return try AdapterFile(
                AdapterHubLoRA.adapter(tensors, configuration), file: directory + name)
        }
        throw .notAnAdapter(
            path: path,
            found: "a directory without " + AdapterHubLoRA.tensorNames.joined(separator: " or "))
    }

    /// The tensors of a state dict without a configuration of PEFT's; nil for everything else.
    private func stateDict() throws(AdapterError) -> ForeignTensors? {
        guard let file = try stateDictFile() else { return nil }
        let tensors = try tensors(file)
        return tensors.metadata[AdapterFile.configurationKey] == nil ? tensors : nil
    }

    /// The tensors of a safetensors file, or of one that `torch.save` wrote.
    private func tensors(_ file: String) throws(AdapterError) -> ForeignTensors {
        if try reader.isPickle(file) { return try archive(file) }
        let content = try SafetensorsContent(reading: file, reader)
        return ForeignTensors(path: file, tensors: content.tensors, metadata: content.metadata)
    }

    /// What `torch.save` wrote. Nothing in it is run; torch before 1.6 wrote bare pickles, which aren't
    /// read.
    private func archive(_ file: String) throws(AdapterError) -> ForeignTensors {
        guard try reader.start(of: file, count: 2) == Array("PK".utf8) else {
            throw .pickle(path: file)
        }
        let bytes = try reader.bytes(of: file, limit: SafetensorsContent.byteCountLimit)
        do throws(CheckpointError) {
            let archive = try TorchArchive(file: MappedFile(copying: bytes, path: file))
            return ForeignTensors(
                path: file, tensors: archive.tensors.map(AdapterTensor.init), metadata: [:])
        } catch { throw .damagedFile(error.description) }
    }

    private func stateDictFile() throws(AdapterError) -> String? {
        switch try reader.kind(of: path) {
        case .missing: throw .notFound(path: path)
        case .other(let found): throw .notRegularFile(path: path, found: found)
        case .regular: return try ForeignAdapter.isGGUF(path, reader) ? nil : path
        case .directory:
            let directory = path.hasSuffix("/") ? path : path + "/"
            guard try reader.kind(of: directory + AdapterFile.configurationName) == .missing else {
                return nil
            }
            for name in Self.tensorNames
            where try reader.kind(of: directory + name) != .missing { return directory + name }
            return nil
        }
    }
}
