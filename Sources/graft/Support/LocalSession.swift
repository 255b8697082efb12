import Adapters
import Engine
import Kernels
import Tokenization
import Transformer

/// A base with adapters and an engine in this process: what `serve` and `run` have in common.
struct LocalSession {
    let base: BaseModel
    let registry: AdapterRegistry
    let engine: GenerationEngine
    /// Nil where the base has none.
    let tokenizer: (any Tokenizer)?
    /// How many tokens the base knows.
    var rowCount: Int { base.slots.vocabularyCount }

    /// What a user should know of the base's tokenizer.
    let warnings: [String]

    /// Opens the base and loads the adapters, with progress on a terminal; of lazy ones only the
    /// configuration and the tensors' names, types and shapes are read.
    ///
    /// - Parameter onBadAdapter: called for an adapter that can't be served; nil: that ends the
    ///   start.
    init(
        options: BaseOptions, adapters: [AdapterOption], adapterOptions: AdapterOptions = .init(),
        registrySettings: AdapterRegistry.Settings = .init(),
        onBadAdapter: ((any Error) -> Void)? = nil,
        configuration: EngineConfiguration = .init()
    ) throws {
        let pool = options.makePool()
        let reading = TokenizerReading()
        base = try options.open(pool: pool) { reading.begin($0) }
        tokenizer = try reading.result()
        warnings = try Self.check(tokenizer, against: base)
        registry = AdapterRegistry(
            base: base, options: adapterOptions, settings: registrySettings)
        let progress = ProgressLine("Loading adapters")
        for (index, adapter) in adapters.enumerated() {
            do {
                if adapter.isLazy {
                    try registry.register(name: adapter.name, path: adapter.path)
                } else {
                    try registry.load(name: adapter.name, path: adapter.path)
                }
            } catch {
                guard let onBadAdapter else { throw error }
                onBadAdapter(error)
            }
            progress.update(Double(index + 1) / Double(adapters.count))
        }
        progress.finish()
        var configuration = configuration
        configuration.layerCount = registry.largestLayerCount
        engine = GenerationEngine(base: base, pool: pool, configuration: configuration)
    }

    /// Every token of the vocabulary must have a row of the embedding; those that only the files
    /// beside it name may lack one.
    private static func check(
        _ tokenizer: (any Tokenizer)?, against base: BaseModel
    ) throws -> [String] {
        guard let tokenizer else { return [] }
        let rowCount = base.slots.vocabularyCount
        let count = tokenizer.tokenCount
        guard count - tokenizer.additionalTokenCount <= rowCount else {
            throw VocabularyError(tokenCount: count, rowCount: rowCount, path: base.path)
        }
        guard count > rowCount else { return tokenizer.warnings }
        return tokenizer.warnings + [
            "the tokenizer's files name \(count - rowCount) token(s) more than the \(rowCount) rows of "
                + "the embedding: text with them is refused"
        ]
    }
}

/// A tokenizer that does not belong to its base.
struct VocabularyError: Error, CustomStringConvertible {
    let tokenCount: Int
    let rowCount: Int
    let path: String

    var description: String {
        "\(path): the tokenizer has \(tokenCount) tokens and the embedding \(rowCount) rows: "
            + "the tokenizer belongs to another model"
    }
}
