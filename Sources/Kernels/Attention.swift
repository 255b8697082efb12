internal import CKernels

/// The type that keys and values are kept in.
public enum KeyValueType: String, Sendable, CaseIterable {
    case f32
    /// Rounded to nearest even: half of the memory, and half of what attention reads.
    case bf16

    var kernelType: gk_type { self == .f32 ? GK_F32 : GK_BF16 }
}

/// Heads of an attention layer, and how pages hold their keys and values.
public struct AttentionShape: Equatable, Sendable {
    public let queryHeadCount: Int
    /// Each key-value head serves queryHeadCount / keyValueHeadCount neighbouring query heads.
    public let keyValueHeadCount: Int
    public let headDimension: Int
    /// Factor on q·k, usually 1/√headDimension.
    public let scale: Float
    public let keyValueType: KeyValueType

    public init(
        queryHeadCount: Int, keyValueHeadCount: Int, headDimension: Int, scale: Float,
        keyValueType: KeyValueType = .f32
    ) {
        precondition(keyValueHeadCount > 0 && queryHeadCount % keyValueHeadCount == 0)
        self.queryHeadCount = queryHeadCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headDimension = headDimension
        self.scale = scale
        self.keyValueType = keyValueType
    }

    /// Words of 4 bytes that one key-value head takes in a page.
    fileprivate var headWordCount: Int {
        gk_page_head_words(keyValueType.kernelType, headDimension)
    }
}

/// One sequence's query rows and the pages that they attend to.
public struct AttentionSlice {
    /// **Shape**: [rowCount, queryHeadCount · headDimension], rows `queryStride` floats apart.
    public var queries: UnsafePointer<Float>
    public var queryStride: Int
    /// Same shape as the queries.
    public var output: UnsafeMutablePointer<Float>
    public var outputStride: Int
    public var rowCount: Int
    /// Own tokens that row 0 sees; row i sees i more.
    public var firstRowVisibleCount: Int
    /// Own tokens that every row sees at least: a context that attends in both directions; 0 for
    /// the causal mask alone.
    public var sharedVisibleCount: Int = 0
    /// Pages in front of the sequence; the last may be partly filled.
    public var prefixPages: UnsafePointer<UnsafePointer<Float>>?
    public var prefixTokenCount: Int
    /// The sequence's own pages of this layer. Pages that a window hides from every row are not
    /// read, nor are their pointers, here and of the prefix.
    public var pages: UnsafePointer<UnsafePointer<Float>>

    public init(
        queries: UnsafePointer<Float>, queryStride: Int, output: UnsafeMutablePointer<Float>,
        outputStride: Int, rowCount: Int, firstRowVisibleCount: Int,
        sharedVisibleCount: Int = 0, prefixPages: UnsafePointer<UnsafePointer<Float>>?,
        prefixTokenCount: Int, pages: UnsafePointer<UnsafePointer<Float>>
    ) {
        self.queries = queries
        self.queryStride = queryStride
        self.output = output
        self.outputStride = outputStride
        self.rowCount = rowCount
        self.firstRowVisibleCount = firstRowVisibleCount
        self.sharedVisibleCount = sharedVisibleCount
        self.prefixPages = prefixPages
        self.prefixTokenCount = prefixTokenCount
        self.pages = pages
    }
}

/// Working memory of attention; grows with the longest context seen.
public final class AttentionScratch: WorkerJob {
    fileprivate var buffers: [AlignedBuffer<Float>] = []
    /// What the workers are at.
    fileprivate var tiling: Tiling?

    public override init() {}

    public override func perform(task: Int, worker: Int) {
        guard let tiling else { return }
        let (tile, head) = task.quotientAndRemainder(
            dividingBy: tiling.shape.keyValueHeadCount)
        var arguments = tiling.arguments(tile: tile, head: head)
        arguments.scratch = buffers[worker].pointer
        gk_attention(&arguments)
    }

    fileprivate func reserve(workerCount: Int, floatCount: Int) {
        if buffers.count == workerCount, buffers[0].count >= floatCount { return }
        buffers = (0..<workerCount).map { _ in AlignedBuffer(count: floatCount + floatCount / 2) }
    }
}

/// Softmax attention over paged keys and values.
///
/// A row's result depends on its query and the tokens that it sees alone: not on the rows that
/// share its slice, nor on how rows are cut into tiles.
public enum Attention {
    /// Tokens of a page.
    public static let pageTokenCount = Int(GK_PAGE)

    /// Words of 4 bytes of one layer's part of a page: for each key-value head keys
    /// [headDimension][16 tokens], then values [16 tokens][headDimension rounded up to 16]. In bf16
    /// two values share a word.
    public static func pageWordCount(_ shape: AttentionShape) -> Int {
        shape.keyValueHeadCount * shape.headWordCount
    }

    /// Writes one token's key and value into its place in a page.
    ///
    /// - Parameter key: **Shape** [keyValueHeadCount, headDimension]; `value` likewise.
    public static func storeKeyValue(
        key: UnsafePointer<Float>, value: UnsafePointer<Float>, slot: Int,
        page: UnsafeMutablePointer<Float>, shape: AttentionShape
    ) {
        gk_store_key_value(
            shape.keyValueType.kernelType, key, value, shape.keyValueHeadCount, shape.headDimension,
            slot, page)
    }

    /// Reads one token's key and value from its place in a page; shapes as in `storeKeyValue`.
    public static func loadKeyValue(
        page: UnsafePointer<Float>, slot: Int, shape: AttentionShape,
        key: UnsafeMutablePointer<Float>, value: UnsafeMutablePointer<Float>
    ) {
        gk_load_key_value(
            shape.keyValueType.kernelType, page, shape.keyValueHeadCount, shape.headDimension, slot,
            key, value)
    }

    /// Attends from every row of every slice.
    public static func run(
        slices: UnsafeBufferPointer<AttentionSlice>, shape: AttentionShape,
        rule: AttentionRule = .full, scratch: AttentionScratch, pool: WorkerPool
    ) {
        let tiling = Tiling(slices, shape, rule)
        scratch.reserve(workerCount: pool.threadCount, floatCount: tiling.scratchFloatCount)
        scratch.tiling = tiling
        pool.run(taskCount: tiling.tileCount * shape.keyValueHeadCount, scratch)
        scratch.tiling = nil
    }
}

/// Cuts slices into tiles of a few query positions each.
fileprivate struct Tiling {
    /// Query positions of a tile: enough rows to reuse each page, few enough for the scores to stay
    /// in the second-level cache and for the tiles to be shared out evenly.
    private static let positionCount = 16

    let slices: UnsafeBufferPointer<AttentionSlice>
    let shape: AttentionShape
    let rule: AttentionRule
    let groupSize: Int
    let tileCount: Int
    let scratchFloatCount: Int

    init(
        _ slices: UnsafeBufferPointer<AttentionSlice>, _ shape: AttentionShape,
        _ rule: AttentionRule
    ) {
        self.slices = slices
        self.shape = shape
        self.rule = rule
        groupSize = shape.queryHeadCount / shape.keyValueHeadCount
        var tiles = 0
        var columns = 0
        for slice in slices {
            tiles += Self.tileCount(slice)
            columns = max(columns, Self.columnCount(slice, rule))
        }
        tileCount = tiles
        scratchFloatCount = gk_attention_scratch(
            Self.positionCount * groupSize, shape.headDimension, columns)
    }

    private static func tileCount(_ slice: AttentionSlice) -> Int {
        (slice.rowCount + positionCount - 1) / positionCount
    }

    /// Tokens that a tile of the slice sees at most.
    private static func columnCount(_ slice: AttentionSlice, _ rule: AttentionRule) -> Int {
        let last = slice.firstRowVisibleCount + slice.rowCount
        let all = slice.prefixTokenCount + max(last, slice.sharedVisibleCount)
        guard rule.window > 0, rule.window < all else { return all }
        let ahead = max(slice.sharedVisibleCount - slice.firstRowVisibleCount, positionCount)
        // A window begins anywhere in a page.
        return min(all, rule.window + ahead + Attention.pageTokenCount)
    }

    func arguments(tile: Int, head: Int) -> gk_attention_tile {
        var within = tile
        var index = 0
        while within >= Self.tileCount(slices[index]) {
            within -= Self.tileCount(slices[index])
            index += 1
        }
        let slice = slices[index]
        let first = within * Self.positionCount
        let headOffset = head * groupSize * shape.headDimension
        var tile = gk_attention_tile()
        tile.type = shape.keyValueType.kernelType
        tile.queries = slice.queries + first * slice.queryStride + headOffset
        tile.query_stride = slice.queryStride
        tile.output = slice.output + first * slice.outputStride + headOffset
        tile.output_stride = slice.outputStride
        tile.positions = min(Self.positionCount, slice.rowCount - first)
        tile.group = groupSize
        tile.head_dimension = shape.headDimension
        tile.scale = shape.scale
        tile.prefix_pages = slice.prefixPages.map(Self.optional)
        tile.prefix = slice.prefixTokenCount
        tile.pages = Self.optional(slice.pages)
        tile.visible = slice.firstRowVisibleCount + first
        tile.shared = slice.sharedVisibleCount
        tile.head_offset = head * shape.headWordCount
        tile.rule.window = rule.window
        tile.rule.soft_cap = rule.softCap
        tile.rule.slopes = rule.slopes.map { $0 + head * groupSize }
        tile.rule.sinks = rule.sinks.map { $0 + head * groupSize }
        return tile
    }

    /// C knows no non-null pointers; both have the same memory layout.
    private static func optional(
        _ pages: UnsafePointer<UnsafePointer<Float>>
    ) -> UnsafePointer<UnsafePointer<Float>?> {
        UnsafeRawPointer(pages).assumingMemoryBound(to: UnsafePointer<Float>?.self)
    }
}
