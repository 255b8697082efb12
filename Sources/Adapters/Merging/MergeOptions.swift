public import Kernels

/// How a merged checkpoint is written.
public struct MergeOptions: Sendable {
    /// Of a directory: F32, F16 or BF16 for every weight; nil keeps each weight's type, while
    /// weights of a quantised base become F16, whose 11 bits of precision hold what the blocks
    /// held.
    ///
    /// Of a GGUF file or a `model.bin`: any type, for the matrices that change; nil keeps theirs.
    /// All others stay as they are.
    public var weightType: WeightType?
    /// A shard ends before it would pass this many bytes.
    public var maximumShardByteCount: Int

    public init(weightType: WeightType? = nil, maximumShardByteCount: Int = 5_000_000_000) {
        self.weightType = weightType
        self.maximumShardByteCount = maximumShardByteCount
    }
}

/// What `MergeWriter` wrote.
public struct MergeReport: Sendable, Equatable {
    /// Weights files, in order.
    public let fileNames: [String]
    public let tensorCount: Int
    /// Modules that differ from the base's.
    public let changedModuleCount: Int
    /// True where the base's head was its embedding, and now is a table of its own.
    public let untiesHead: Bool
    /// What the user should know, for example that a tokenizer could not be written.
    public let notes: [String]
}
