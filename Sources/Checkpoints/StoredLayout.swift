/// How a checkpoint stores what Hugging Face stores in another way. Slots are Hugging Face's:
/// tensors are turned into its form on reading, and back on writing.
public struct StoredLayout: Equatable, Sendable {
    /// Rows of Q and K are in the order of interleaved rotary pairs.
    public var queryKeyRowsArePermuted = false
    /// Outputs of a module that makes queries, keys and values of a head together are all queries,
    /// then all keys, then all values.
    public var groupsAreBlocks = false
    /// Gains of norms are stored as they act, with what the norm adds to them.
    public var gainsAreWhole = false
    /// Every matrix is stored as [outputs, inputs], those of `Conv1D` as well.
    public var matricesAreUpright = false

    public init() {}

    /// Whether rows of some matrix stand in another order than Hugging Face's.
    public var movesRows: Bool { queryKeyRowsArePermuted || groupsAreBlocks }

    /// What llama.cpp's converters do for every architecture.
    static let gguf: StoredLayout = {
        var layout = StoredLayout()
        layout.matricesAreUpright = true
        return layout
    }()

    /// `gguf` and more.
    static func gguf(_ change: (inout StoredLayout) -> Void) -> StoredLayout {
        var layout = StoredLayout.gguf
        change(&layout)
        return layout
    }
}
