internal import Checkpoints
internal import StrictJSON

/// Opens what is to be converted: all that a server reads, with settings that may come from
/// elsewhere.
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
        if let file = try pickledPEFT() { return file }
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

    /// A PEFT directory whose weights `torch.save` wrote, as PEFT did by itself until 2023; nil for
    /// everything else.
    private func pickledPEFT() throws(AdapterError) -> AdapterFile? {
        guard try reader.kind(of: path) == .directory else { return nil }
        let directory = FilePath.asDirectory(path)
        let settings = directory + AdapterFile.configurationName
        guard try reader.kind(of: settings) != .missing,
            try reader.kind(of: directory + AdapterFile.tensorName) == .missing,
            let weights = try reader.first(of: AdapterFile.pickleNames, in: directory)
        else { return nil }
        let text = try reader.bytes(of: settings, limit: AdapterConfiguration.byteCountLimit)
        let tensors = try ForeignTensors(reading: weights, reader)
        return try AdapterFile(
            configurationText: text, configurationFile: settings, tensorFile: weights,
            tensors: tensors.tensors,
            tokenizerFiles: try AdapterFile.tokenizerFiles(in: directory, reader), extent: .whole)
    }

    /// The tensors of a state dict without a configuration of PEFT's; nil for everything else.
    private func stateDict() throws(AdapterError) -> ForeignTensors? {
        guard let file = try stateDictFile() else { return nil }
        let tensors = try ForeignTensors(reading: file, reader)
        return tensors.metadata[AdapterFile.configurationKey] == nil ? tensors : nil
    }

    private func stateDictFile() throws(AdapterError) -> String? {
        switch try reader.kind(of: path) {
        case .missing: throw .notFound(path: path)
        case .other(let found): throw .notRegularFile(path: path, found: found)
        case .regular: return try ForeignAdapter.isGGUF(path, reader) ? nil : path
        case .directory:
            let directory = FilePath.asDirectory(path)
            guard try reader.kind(of: directory + AdapterFile.configurationName) == .missing else {
                return nil
            }
            for name in Self.tensorNames
            where try reader.kind(of: directory + name) != .missing { return directory + name }
            return nil
        }
    }
}
