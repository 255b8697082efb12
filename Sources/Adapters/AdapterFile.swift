internal import Checkpoints
internal import StrictJSON

/// An adapter as it lies on disk, read whole into memory: a PEFT directory, a `.lora` file, or one
/// of another library's forms, which `ForeignAdapter` says in PEFT's terms.
///
/// A `.lora` is one safetensors file whose metadata carry `adapter_config.json` in text. Which of
/// them a path is, its content says, not its name.
struct AdapterFile: Sendable {
    /// The metadata key of a `.lora` that holds the configuration's text.
    static let configurationKey = "graft.adapter_config"
    static let configurationName = "adapter_config.json"
    static let tensorName = "adapter_model.safetensors"
    static let pickleNames = ["adapter_model.bin", "adapter_model.pt"]

    let configuration: AdapterConfiguration
    /// As stored, byte for byte.
    let configurationText: [UInt8]
    /// Where the tensors are, for messages.
    let tensorFile: String
    /// Sorted by name.
    var tensors: [AdapterTensor]
    let peftType: String
    /// The tokenizer that was saved beside the adapter; empty where only the header was read.
    let tokenizerFiles: TokenizerFileSet
    /// SHA-256 of the content, in hexadecimal; empty where only the header was read.
    private(set) var contentHash: String
    /// The adapters that it mixes, in the order in which its configuration names them.
    private(set) var experts: [Mixture.Expert] = []
    /// How rows of the factors B are ordered, where that isn't Hugging Face's order.
    var layout = StoredLayout()
    /// What a file of another format says of itself beside settings and tensors.
    var origin = ForeignOrigin()
    /// True where the tensors are those of one safetensors file, as it has them.
    private(set) var isSafetensors = false
    /// The tokenizer's files among that one's tensors.
    private(set) var storedFiles: [AdapterTensor] = []

    /// - Throws: `AdapterError`: what is no adapter, no regular file, outside `options.root`,
    ///   damaged or changed while it was read.
    static func open(
        _ path: String, options: AdapterOptions, extent: Extent = .whole
    ) throws(AdapterError) -> AdapterFile {
        let reader = FileReader(root: options.root)
        switch try reader.kind(of: path) {
        case .directory: return try openDirectory(path, reader, extent)
        case .regular: return try openSingleFile(path, reader, extent)
        case .other(let found): throw .notRegularFile(path: path, found: found)
        case .missing: throw .notFound(path: path)
        }
    }

    /// How much is read.
    enum Extent {
        /// Everything.
        case whole
        /// The configuration and what tensors there are: their values read as zeros.
        case header

        func content(_ path: String, _ reader: FileReader) throws(AdapterError)
            -> SafetensorsContent
        {
            switch self {
            case .whole: try SafetensorsContent(reading: path, reader)
            case .header: try SafetensorsContent(checkingHeaderOf: path, reader)
            }
        }
    }

    /// How the adapter's files look from outside, those of a mixture's experts as well.
    ///
    /// - Throws: `AdapterError.outsideRoot`.
    static func stamps(
        of path: String, options: AdapterOptions
    ) throws(AdapterError) -> [FileStamp] {
        let reader = FileReader(root: options.root)
        guard try reader.kind(of: path) == .directory else {
            return try reader.stamp(of: path).map { [$0] } ?? []
        }
        let directory = FilePath.asDirectory(path)
        // A mixture that can't be read has no experts; reading it says what is wrong.
        let experts = (try? Mixture.expertDirectories(of: directory, reader)) ?? []
        var stamps: [FileStamp] = []
        for directory in [directory] + experts {
            for name in fileNames {
                if let stamp = try reader.stamp(of: directory + name) { stamps.append(stamp) }
            }
        }
        return stamps
    }

    /// Names that the directory of an adapter may hold.
    private static var fileNames: [String] {
        [configurationName, tensorName] + Mixture.fileNames + ForeignAdapter.fileNames
            + TokenizerFileSet.names
    }

    /// Names of PEFT's files with tensors.
    static var tensorNames: [String] { [tensorName] + pickleNames }

    private static func openDirectory(
        _ path: String, _ reader: FileReader, _ extent: Extent
    ) throws(AdapterError) -> AdapterFile {
        let directory = FilePath.asDirectory(path)
        guard try reader.kind(of: directory + configurationName) != .missing else {
            if let mixture = try Mixture.open(directory: directory, reader, extent) {
                return mixture
            }
            if let foreign = try ForeignAdapter.open(directory: directory, reader) {
                return foreign
            }
            let hint = AdapterFolders.hint(in: directory, reader)
            throw .notAnAdapter(
                path: path, found: "a directory without \(configurationName)" + hint)
        }
        try Mixture.checkStandsAlone(in: directory, reader)
        let file = try openPEFT(path, reader, extent)
        return try file.adding(Mixture.experts(of: file, directory, reader, extent))
    }

    /// A directory in PEFT's layout, without the experts that it may name.
    static func openPEFT(
        _ path: String, _ reader: FileReader, _ extent: Extent
    ) throws(AdapterError) -> AdapterFile {
        let directory = FilePath.asDirectory(path)
        guard try reader.kind(of: directory + tensorName) != .missing else {
            if let foreign = try ForeignAdapter.adapterHub(
                directory: directory, configurationFile: directory + configurationName, reader)
            {
                return foreign
            }
            try MLXAdapter.refuse(directory: directory, reader)
            for name in pickleNames where try reader.kind(of: directory + name) != .missing {
                throw .pickle(path: directory + name)
            }
            throw .notAnAdapter(path: path, found: "a directory without \(tensorName)")
        }
        let text = try reader.bytes(
            of: directory + configurationName, limit: AdapterConfiguration.byteCountLimit)
        return try AdapterFile(
            configurationText: text, configurationFile: directory + configurationName,
            content: try extent.content(directory + tensorName, reader),
            tokenizerFiles: extent == .whole ? try tokenizerFiles(in: directory, reader) : nil,
            extent: extent)
    }

    private static func openSingleFile(
        _ path: String, _ reader: FileReader, _ extent: Extent
    ) throws(AdapterError) -> AdapterFile {
        if try reader.isPickle(path) { throw .pickle(path: path) }
        if try ForeignAdapter.isGGUF(path, reader) {
            return try ForeignAdapter.gguf(path, reader, extent)
        }
        let content = try extent.content(path, reader)
        guard let text = content.metadata[configurationKey] else {
            if let foreign = try ForeignAdapter.open(content, reader) { return foreign }
            throw .notAnAdapter(
                path: path,
                found: "a safetensors file without '\(configurationKey)' in its metadata")
        }
        guard text.utf8.count <= AdapterConfiguration.byteCountLimit else {
            throw .tooLarge(
                path: path + " (\(configurationKey))", byteCount: text.utf8.count,
                limit: AdapterConfiguration.byteCountLimit)
        }
        return try AdapterFile(
            configurationText: Array(text.utf8), configurationFile: path + " (\(configurationKey))",
            content: content, extent: extent)
    }

    /// An adapter of another format, said in PEFT's terms.
    ///
    /// - Parameters:
    ///   - file: where it lies, for messages.
    ///   - configurationFile: where its settings lie; nil: in the same file.
    ///   - tokenizerFiles: what lies beside it.
    init(
        _ adapter: PEFTAdapter, file: String, configurationFile: String? = nil,
        tokenizerFiles: TokenizerFileSet? = nil, extent: Extent = .whole
    ) throws(AdapterError) {
        try self.init(
            configurationText: Array(JSONValue.object(adapter.configuration).serialized().utf8),
            configurationFile: configurationFile ?? file, tensorFile: file,
            tensors: adapter.tensors, tokenizerFiles: tokenizerFiles, extent: extent)
        origin = adapter.origin
    }

    private init(
        configurationText: [UInt8], configurationFile: String, content: SafetensorsContent,
        tokenizerFiles: TokenizerFileSet? = nil, extent: Extent
    ) throws(AdapterError) {
        try self.init(
            configurationText: configurationText, configurationFile: configurationFile,
            tensorFile: content.path, tensors: content.tensors.filter { !Self.isStoredFile($0) },
            tokenizerFiles: tokenizerFiles
                ?? Self.tokenizerFiles(among: content.tensors, path: content.path),
            extent: extent)
        isSafetensors = true
        storedFiles = content.tensors.filter(Self.isStoredFile)
    }

    /// - Parameter peftType: where the configuration doesn't say it.
    init(
        configurationText: [UInt8], configurationFile: String, tensorFile: String,
        tensors: [AdapterTensor], tokenizerFiles: TokenizerFileSet? = nil, extent: Extent,
        peftType: String? = nil
    ) throws(AdapterError) {
        var configuration = try AdapterConfiguration(
            parsing: configurationText, file: configurationFile)
        let stated = try configuration.text("peft_type")
        guard let peftType = peftType ?? stated else {
            try MLXAdapter.refuse(configuration)
            throw .missingSetting("peft_type", file: configurationFile)
        }
        self.configuration = configuration
        self.configurationText = configurationText
        self.peftType = peftType
        self.tensorFile = tensorFile
        self.tensors = tensors.sorted { $0.name < $1.name }
        let files = tokenizerFiles ?? TokenizerFileSet(contents: [:], directory: tensorFile)
        self.tokenizerFiles = files
        contentHash =
            extent == .whole ? Self.hash(configuration, self.tensors, files) : ""
    }

    /// The same for adapters that differ in nothing but values: configuration and what tensors
    /// there are, the experts' too, in a hash.
    var recipe: String {
        let own = Self.hash(configuration, tensors, nil)
        guard !experts.isEmpty else { return own }
        var hasher = ContentHasher()
        for recipe in [own] + experts.map(\.file.recipe) { hasher.update(recipe) }
        return hasher.finish()
    }

    /// The same adapter with those that it mixes, which are part of its content.
    func adding(_ experts: [Mixture.Expert]) -> AdapterFile {
        guard !experts.isEmpty else { return self }
        var file = self
        file.experts = experts
        guard !contentHash.isEmpty else { return file }
        var hasher = ContentHasher()
        for hash in [contentHash] + experts.map(\.file.contentHash) { hasher.update(hash) }
        file.contentHash = hasher.finish()
        return file
    }

    /// The same with zeros for values, which take no memory.
    func withoutValues() throws(AdapterError) -> AdapterFile {
        var file = self
        file.tensors = []
        for tensor in tensors { file.tensors.append(try tensor.withoutValues(file: tensorFile)) }
        file.experts = []
        for expert in experts {
            file.experts.append(
                Mixture.Expert(name: expert.name, file: try expert.file.withoutValues()))
        }
        file.storedFiles = []
        return file
    }

    /// - Parameter files: nil where values don't count either.
    private static func hash(
        _ configuration: AdapterConfiguration, _ tensors: [AdapterTensor],
        _ files: TokenizerFileSet?
    ) -> String {
        var hasher = ContentHasher()
        hasher.update(configuration.canonicalText)
        for tensor in tensors {
            hasher.append(tensor.hashedFacts)
            if files != nil { tensor.withBytes { hasher.update($0) } }
        }
        if let files { hasher.update(TokenizerFileDigest.of(files)) }
        return hasher.finish()
    }
}
