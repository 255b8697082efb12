import Kernels
import StrictJSON
import Testing
import Transformer

struct KeyValuePagePoolTests {
    private let shape = AttentionShape(
        queryHeadCount: 2, keyValueHeadCount: 1, headDimension: 16, scale: 0.25)

    @Test func pagesAreHandedOutOnceAndComeBackWithTheLastReference() throws {
        let pool = KeyValuePagePool(pageCount: 3, layerCount: 2, shape: shape)
        let pages = (0..<3).compactMap { _ in pool.allocate() }
        #expect(Set(pages).count == 3)
        #expect(pool.allocate() == nil)
        pool.retain(pages[1])
        pool.release(pages[1])
        #expect(pool.freePageCount == 0)
        pool.release(pages[1])
        #expect(pool.allocate() == pages[1])
    }

    @Test func pageCountsRoundUp() {
        #expect(KeyValuePagePool.pageCount(forTokens: 0) == 0)
        #expect(KeyValuePagePool.pageCount(forTokens: 16) == 1)
        #expect(KeyValuePagePool.pageCount(forTokens: 17) == 2)
    }

    /// A sequence whose values were not finite leaves nothing behind in the pages that it used.
    @Test func aSpoiledSequenceDoesNotReachTheNextOne() throws {
        let base = try TinyBase().open()
        let spoiled = try TinyBase { tensors in
            for index in tensors.indices
            where tensors[index].name.contains("layers.0.self_attn.v_proj") {
                tensors[index].bytes.replaceSubrange(0..<4, with: [0, 0, 0xC0, 0x7F])
            }
        }.open()
        let pages = KeyValuePagePool(pageCount: 2, layerCount: 3, shape: base.attentionShape)
        func logits(_ base: BaseModel, _ tokens: [Int32]) throws -> [Float] {
            let pass = ForwardPass(
                base: base, pages: pages, pool: TinyBase.pool, maximumRowCount: 32,
                maximumLogitsRowCount: 1)
            let used = (0..<2).compactMap { _ in pages.allocate() }
            defer { used.forEach { pages.release($0) } }
            let logits = pass.step([
                StepSlice(
                    plan: .base(base.slots), tokens: tokens, cachedTokenCount: 0, pages: used,
                    firstLogitsRow: tokens.count - 1)
            ])
            return Array(logits.row(0))
        }
        let clean = try logits(base, [1, 2, 3])
        let broken = try logits(spoiled, Array(5..<30))
        #expect(broken.contains { !$0.isFinite })
        #expect(try logits(base, [1, 2, 3]) == clean)
    }
}
