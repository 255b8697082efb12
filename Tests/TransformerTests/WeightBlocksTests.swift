import Checkpoints
import Kernels
import Testing

/// Files and kernels mean the same blocks.
struct WeightBlocksTests {
    /// Elements and bytes of a block, as ggml has them.
    private static let blocks: [WeightType: (elementCount: Int, byteCount: Int)] = [
        .f32: (1, 4), .f16: (1, 2), .bf16: (1, 2), .q8_0: (32, 34), .q4_0: (32, 18),
        .q4_1: (32, 20),
    ]

    @Test(arguments: WeightType.allCases)
    func aTypeHasOneBlock(type: WeightType) throws {
        let expected = try #require(Self.blocks[type])
        let stored = try #require(ElementType(rawValue: type.rawValue))
        #expect(type.blockElementCount == expected.elementCount)
        #expect(type.blockByteCount == expected.byteCount)
        #expect(stored.blockElementCount == expected.elementCount)
        #expect(stored.blockByteCount == expected.byteCount)
    }
}
