public import Kernels

/// The paged key-value cache: fixed-size pages of 16 tokens, handed out and reference-counted.
///
/// A page holds keys and values of all layers for its tokens, so that one number names them. The
/// memory is reserved once and touched page by page: unused pages cost address space only.
///
/// Owned by the engine; not for use from several tasks.
public final class KeyValuePagePool {
    public let pageCount: Int
    public let shape: AttentionShape
    public let layerCount: Int
    private let storage: AlignedBuffer<Float>
    private let pageWordCount: Int
    private var freePages: [Int32]
    private var referenceCounts: [Int32]
    private var wasUsed: [Bool]
    private let margin: PopulatedMargin?

    /// - Parameters:
    ///   - pageCount: pages of `Attention.pageTokenCount` tokens each.
    /// - populatesAhead: true to have the system back some pages beyond those that were used so
    ///     far.
    public init(
        pageCount: Int, layerCount: Int, shape: AttentionShape, populatesAhead: Bool = false
    ) {
        self.pageCount = pageCount
        self.layerCount = layerCount
        self.shape = shape
        pageWordCount = Attention.pageWordCount(shape)
        storage = AlignedBuffer<Float>(count: max(1, pageCount * layerCount * pageWordCount))
        margin = populatesAhead ? PopulatedMargin(of: storage) : nil
        freePages = (0..<Int32(pageCount)).reversed()
        referenceCounts = Array(repeating: 0, count: pageCount)
        wasUsed = Array(repeating: false, count: pageCount)
    }

    public var freePageCount: Int { freePages.count }

    /// Bytes of one page, all layers together.
    public static func pageByteCount(layerCount: Int, shape: AttentionShape) -> Int {
        layerCount * Attention.pageWordCount(shape) * MemoryLayout<Float>.stride
    }

    /// Pages that `tokenCount` tokens need.
    public static func pageCount(forTokens tokenCount: Int) -> Int {
        (tokenCount + Attention.pageTokenCount - 1) / Attention.pageTokenCount
    }

    /// Takes the memory of all pages from the system, which else happens as each is first written
    /// to. Contents are lost.
    public func touch() {
        storage.pointer.update(repeating: 0, count: storage.count)
    }

    /// A page with one reference; nil when none is free.
    public func allocate() -> Int32? {
        guard let page = freePages.popLast() else { return nil }
        referenceCounts[Int(page)] = 1
        if wasUsed[Int(page)] { clear(page) }
        wasUsed[Int(page)] = true
        // Pages that nobody used yet are given out in the order in which they lie.
        margin?.use((Int(page) + 1) * layerCount * pageWordCount * MemoryLayout<Float>.stride)
        return page
    }

    public func retain(_ page: Int32) {
        precondition(referenceCounts[Int(page)] > 0, "retain of a free page")
        referenceCounts[Int(page)] += 1
    }

    /// References to a page; 0 for a free one.
    public func referenceCount(of page: Int32) -> Int { Int(referenceCounts[Int(page)]) }

    /// Gives a reference back; the last one frees the page.
    public func release(_ page: Int32) {
        precondition(referenceCounts[Int(page)] > 0, "release of a free page")
        referenceCounts[Int(page)] -= 1
        if referenceCounts[Int(page)] == 0 { freePages.append(page) }
    }

    /// A value that is not finite would reach through a probability of 0, so what an earlier
    /// sequence left behind must go.
    private func clear(_ page: Int32) {
        self.page(page, layer: 0).update(repeating: 0, count: layerCount * pageWordCount)
    }

    /// One layer's part of a page; layers of a page lie side by side.
    package func page(_ page: Int32, layer: Int) -> UnsafeMutablePointer<Float> {
        view.page(page, layer: layer)
    }

    /// The pages as the pool's own model fills them.
    var view: KeyValuePageView {
        KeyValuePageView(
            first: storage.pointer, pageStride: layerCount * pageWordCount,
            layerWordCount: pageWordCount)
    }

    /// The pages as a model of another shape fills them, which must not need larger ones.
    func view(layerCount: Int, shape: AttentionShape) -> KeyValuePageView {
        let view = KeyValuePageView(
            first: storage.pointer, pageStride: self.layerCount * pageWordCount,
            layerWordCount: Attention.pageWordCount(shape))
        precondition(layerCount * view.layerWordCount <= view.pageStride)
        return view
    }
}

/// Where the layers' parts of pages lie; valid as long as the pool that it is of.
struct KeyValuePageView: BitwiseCopyable, @unchecked Sendable {
    let first: UnsafeMutablePointer<Float>
    /// Words of 4 bytes from one page to the next.
    let pageStride: Int
    /// Words of one layer's part.
    let layerWordCount: Int

    func page(_ page: Int32, layer: Int) -> UnsafeMutablePointer<Float> {
        first + Int(page) * pageStride + layer * layerWordCount
    }
}
