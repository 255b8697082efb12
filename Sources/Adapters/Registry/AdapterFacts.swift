internal import Transformer

/// What is known of an adapter whether its operators are in memory or not.
struct AdapterFacts: Sendable {
    /// SHA-256 of the content; empty until the content was read for the first time.
    var hash: String
    var peftType: String
    var parameterCount: Int
    var rank: Int?
    var warnings: [String]
    var targets: String
    /// Layers of the model that it makes of the base; nil: the base's own.
    var layerCount: Int?
    /// What its files were, where that lets it come back sooner.
    var files: KnownFiles?
    /// What reading it takes.
    var cost: LoadCost
}

extension AdapterFacts {
    init(_ adapter: LoadedAdapter, cost: LoadCost) {
        self.init(
            hash: adapter.hash, peftType: adapter.peftType,
            parameterCount: adapter.parameterCount, rank: adapter.rank,
            warnings: adapter.warnings, targets: adapter.targets,
            layerCount: adapter.operators.repeatedBase?.slots.layerCount, files: adapter.files,
            cost: cost.known(residentByteCount: adapter.byteCount))
    }
}

/// Where an adapter comes back from, and how its files looked when its name was given to it.
struct AdapterOrigin: Sendable {
    let path: String
    /// Which directory its files must lie in, where a client gave the path; nil: anywhere.
    var root: String?
    let stamps: [FileStamp]
}

/// One adapter that must come back into memory.
struct LoadOrder: Sendable {
    let name: String
    /// Which content of which life of the name it is.
    let version: UInt64
    let origin: AdapterOrigin
    /// What must come back; its values where they were read before.
    let facts: AdapterFacts
    /// What reading it takes, in the ledger.
    let charge: UInt64
}
