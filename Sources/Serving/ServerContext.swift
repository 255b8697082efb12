public import Logging
public import Tokenization

/// Everything that connections share.
public struct ServerContext: Sendable {
    public let generator: any TokenGenerator
    public let adapters: any AdapterCatalog
    /// Nil where the base has none: then requests give token ids and get no text.
    public let tokenizer: (any Tokenizer)?
    /// Tokens that end an answer.
    public let endTokens: Set<Int32>
    /// How many tokens the base knows; a vocabulary may have fewer.
    public let rowCount: Int
    public let configuration: ServingConfiguration
    public let logger: Logger

    /// - Parameter endTokens: nil for the tokenizer's.
    public init(
        generator: any TokenGenerator, adapters: any AdapterCatalog, tokenizer: (any Tokenizer)?,
        endTokens: Set<Int32>? = nil, rowCount: Int = 0,
        configuration: ServingConfiguration = .init(), logger: Logger
    ) {
        self.generator = generator
        self.adapters = adapters
        self.tokenizer = tokenizer
        self.endTokens =
            endTokens ?? Set(tokenizer?.endTokens.compactMap { Int32(exactly: $0) } ?? [])
        self.rowCount = rowCount
        self.configuration = configuration
        self.logger = logger
    }

    /// - Throws: `bad_request` where there is no tokenizer.
    func require(
        _ tokenizer: (any Tokenizer)?, field: String
    ) throws(ServingError) -> any Tokenizer {
        guard let tokenizer else {
            throw ServingError(
                .badRequest,
                "this base has no tokenizer, so it takes no '\(field)': send token ids as 'tokens'",
                field: field)
        }
        return tokenizer
    }
}
