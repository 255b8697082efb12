public import StrictJSON

/// A base model as stored: configuration, tensors and tokenizer, whatever the kind of file.
public struct BaseCheckpoint: Sendable {
    /// In which form a base is stored.
    public enum Kind: Sendable, Equatable {
        /// A directory as Hugging Face's libraries write it.
        case huggingFace
        /// A single weights file, with `config.json` beside it.
        case safetensors
        case gguf
        /// A `model.bin`, with weights in the order of the kernels.
        case packed
    }

    public let kind: Kind
    /// The object of `config.json`; made up from the keys of a GGUF file.
    public let configuration: JSONObject
    /// Under Hugging Face's names.
    public let tensors: any TensorSource
    /// Nil where the checkpoint has none: such a base serves requests that come as token ids.
    public let tokenizer: TokenizerAssets?
    /// What is stored in another way than Hugging Face's.
    public let layout: StoredLayout
    /// What the user should know of its files, for example keys that were ignored.
    public let warnings: [String]

    /// A checkpoint put together from its parts.
    public init(
        kind: Kind, configuration: JSONObject, tensors: any TensorSource,
        tokenizer: TokenizerAssets?, layout: StoredLayout = StoredLayout(),
        warnings: [String] = []
    ) {
        self.kind = kind
        self.configuration = configuration
        self.tensors = tensors
        self.tokenizer = tokenizer
        self.layout = layout
        self.warnings = warnings
    }

    /// Opens a base of any kind; what it is, is told from its content, never from its name.
    ///
    /// - Throws: `CheckpointError`, which names what is missing or wrong.
    public static func open(path: String) throws(CheckpointError) -> BaseCheckpoint {
        if FilePath.isDirectory(path) { return try openDirectory(path) }
        let file = try MappedFile(path: path)
        if try FileFormat(file) == .gguf { return try openGGUF(GGUFFile(joining: file)) }
        let tensors = try SafetensorsFile(file: file)
        if let format = tensors.metadata[PackedFormat.formatKey] {
            return try openPacked(tensors, format: format)
        }
        return try openSingleFile(tensors)
    }

    private static func openDirectory(_ path: String) throws(CheckpointError) -> BaseCheckpoint {
        let directory = ModelDirectory(path: path)
        if let file = try directory.onlyGGUF() { return try openGGUF(GGUFFile(path: file)) }
        let whole = try directory.configuration()
        let stored = try directory.tensors()
        let part = LanguagePart(whole, stored)
        let configuration = part?.configuration ?? whole
        return BaseCheckpoint(
            kind: .huggingFace, configuration: configuration,
            tensors: try CausalNames.of(part?.tensors ?? stored),
            tokenizer: try directory.tokenizer(configuration: configuration),
            warnings: try directory.warnings() + (part?.warnings ?? []))
    }

    private static func openSingleFile(
        _ tensors: SafetensorsFile
    ) throws(CheckpointError) -> BaseCheckpoint {
        let directory = ModelDirectory(path: FilePath.directory(of: tensors.path))
        try directory.checkIsWhole(tensors.path)
        let configuration = try directory.configuration()
        return BaseCheckpoint(
            kind: .safetensors, configuration: configuration, tensors: try CausalNames.of(tensors),
            tokenizer: try directory.tokenizer(configuration: configuration),
            warnings: try directory.generationWarnings())
    }

    private static func openGGUF(_ file: GGUFFile) throws(CheckpointError) -> BaseCheckpoint {
        let configuration = try GGUFConfiguration(file)
        let object = try configuration.object()
        var tokenizer: TokenizerAssets?
        if file.values.contains("tokenizer.ggml.tokens") {
            let vocabulary = try GGUFVocabulary(from: file)
            tokenizer = TokenizerAssets(
                vocabulary: .gguf(vocabulary),
                chatTemplate: try file.values.text("tokenizer.chat_template"),
                chatTemplateNames: file.values.keys(after: "tokenizer.chat_template."),
                configurationEndTokens: EndTokens.listed(in: [object]))
        }
        return BaseCheckpoint(
            kind: .gguf, configuration: object,
            tensors: try configuration.tensors(),
            tokenizer: tokenizer, layout: configuration.layout, warnings: configuration.warnings)
    }

    private static func openPacked(
        _ tensors: SafetensorsFile, format: String
    ) throws(CheckpointError) -> BaseCheckpoint {
        let configuration = try PackedFormat.configuration(tensors, format: format)
        return BaseCheckpoint(
            kind: .packed, configuration: configuration, tensors: tensors,
            tokenizer: try TokenizerAssets(metadata: tensors.metadata, path: tensors.path))
    }
}
