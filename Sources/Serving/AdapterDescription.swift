public import Adapters

/// One row of the answer to `list_adapters`.
public struct AdapterDescription: Sendable, Equatable {
    public var name: String
    /// SHA-256 of the content; empty until the content was first read.
    public var hash: String
    public var peftType: String
    public var parameterCount = 0
    public var byteCount = 0
    public var rank: Int?
    /// The weight at which it is merged; nil while it is only attached.
    public var mergedWeight: Float?
    /// Whether its operators are out of memory, to be read when a request asks for them.
    public var isIdle = false
    public var inUseCount = 0
    public var requestCount = 0
    public var tokenCount = 0
    public var warnings: [String] = []

    public init(name: String, hash: String, peftType: String) {
        self.name = name
        self.hash = hash
        self.peftType = peftType
    }

    public init(_ listing: AdapterListing) {
        self.init(name: listing.name, hash: listing.hash, peftType: listing.peftType)
        parameterCount = listing.parameterCount
        byteCount = listing.byteCount
        rank = listing.rank
        if case .merged(let weight) = listing.state { mergedWeight = weight }
        isIdle = listing.state == .idle
        inUseCount = listing.inUseCount
        requestCount = listing.requestCount
        tokenCount = listing.tokenCount
        warnings = listing.warnings
    }
}
