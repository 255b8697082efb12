/// What the registry's adapters hold in memory now, and how often they came and went.
public struct AdapterMemory: Sendable, Equatable {
    /// Bytes of everything: packed adapters, merged matrices, and what is being read or merged.
    /// Content that a name has left is among them until its last request ends.
    public var byteCount = 0
    /// Bytes of merged matrices among them.
    public var mergedByteCount = 0
    /// Bytes among them for what is being read or merged.
    public var workByteCount = 0
    /// What `byteCount` never exceeds; nil where there is no bound.
    public var byteCountLimit: Int?
    /// Tokenizers that adapters in memory brought along; those with the same files share one.
    public var tokenizerCount = 0
    /// About what these take, beside `byteCount` and the limit.
    public var tokenizerByteCount = 0
    /// Requests and loads that wait for memory.
    public var waitingCount = 0
    /// Adapters whose operators are in memory.
    public var residentCount = 0
    /// Adapters of which only the path, the identity and what a listing shows are kept.
    public var idleCount = 0
    /// Times that an adapter was read and packed.
    public var loadCount = 0
    /// Times that an adapter was dropped to its path.
    public var dropCount = 0

    public init() {}

    /// All adapters that have a name.
    public var totalCount: Int { residentCount + idleCount }
}
