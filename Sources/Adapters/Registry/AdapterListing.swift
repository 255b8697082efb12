/// One row of the registry's list: what an adapter is and how much it is used.
public struct AdapterListing: Sendable, Equatable {
    /// How requests that name the adapter alone at weight 1 are answered.
    public enum State: Sendable, Equatable {
        /// Operators beside the frozen base.
        case attached
        /// Known and checked; read into memory when a request asks for it.
        case idle
        /// Merged matrices for requests at exactly this weight; attached for all others.
        case merged(weight: Float)

        /// As the protocol spells it.
        public var name: String {
            switch self {
            case .attached: "attached"
            case .idle: "idle"
            case .merged: "merged"
            }
        }
    }

    public let name: String
    /// SHA-256 of the content, in hexadecimal; empty until the content was first read.
    public let hash: String
    public let peftType: String
    public let parameterCount: Int
    /// Bytes in memory; merged matrices included; 0 while it is idle.
    public let byteCount: Int
    public let rank: Int?
    public let state: State
    /// Requests that hold it now, whatever content they began with.
    public let inUseCount: Int
    /// Requests since it was loaded.
    public let requestCount: Int
    /// Tokens made with it since it was loaded.
    public let tokenCount: Int
    public let warnings: [String]
    /// Which modules it changes, in short.
    public let targets: String
}
