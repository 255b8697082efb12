/// What the registry's adapters hold in memory now, and how often they came and went.
public struct AdapterMemory: Sendable, Equatable {
    /// Bytes of packed adapters; merged matrices are not among them.
    public var byteCount = 0
    /// Bytes beyond which idle adapters are dropped; nil where there is no bound.
    public var byteCountLimit: Int?
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
