internal import CKernels

/// Reads the blocks of a quantised type.
struct BlockFormat {
    private let format: gk_block_format

    /// Nil for types without blocks.
    init?(_ type: ElementType) {
        switch type {
        case .q8_0: format = GK_BLOCK_Q8_0
        case .q4_0: format = GK_BLOCK_Q4_0
        case .q4_1: format = GK_BLOCK_Q4_1
        case .q5_0: format = GK_BLOCK_Q5_0
        case .q5_1: format = GK_BLOCK_Q5_1
        case .q8_1: format = GK_BLOCK_Q8_1
        case .q1_0: format = GK_BLOCK_Q1_0
        case .q2K: format = GK_BLOCK_Q2_K
        case .q3K: format = GK_BLOCK_Q3_K
        case .q4K: format = GK_BLOCK_Q4_K
        case .q5K: format = GK_BLOCK_Q5_K
        case .q6K: format = GK_BLOCK_Q6_K
        case .q8K: format = GK_BLOCK_Q8_K
        case .iq1S: format = GK_BLOCK_IQ1_S
        case .iq1M: format = GK_BLOCK_IQ1_M
        case .iq2XXS: format = GK_BLOCK_IQ2_XXS
        case .iq2XS: format = GK_BLOCK_IQ2_XS
        case .iq2S: format = GK_BLOCK_IQ2_S
        case .iq3XXS: format = GK_BLOCK_IQ3_XXS
        case .iq3S: format = GK_BLOCK_IQ3_S
        case .iq4NL: format = GK_BLOCK_IQ4_NL
        case .iq4XS: format = GK_BLOCK_IQ4_XS
        case .tq1_0: format = GK_BLOCK_TQ1_0
        case .tq2_0: format = GK_BLOCK_TQ2_0
        case .mxfp4: format = GK_BLOCK_MXFP4
        case .nvfp4: format = GK_BLOCK_NVFP4
        case .f64, .f32, .f16, .bf16, .i64, .i32, .i16, .i8, .u64, .u32, .u16, .u8, .bool,
            .f8E4M3, .f8E5M2:
            return nil
        }
    }

    /// Elements and bytes of a block.
    var size: (elementCount: Int, byteCount: Int) {
        (gk_format_elements(format), gk_format_bytes(format))
    }

    /// One scale and levels of at most 8 bits make a block.
    var hasLevels: Bool { gk_format_has_levels(format) != 0 }

    /// The values of the first `count` elements, which end a block.
    func read(_ blocks: UnsafeRawPointer, count: Int, into values: UnsafeMutablePointer<Float>) {
        gk_format_values(format, blocks, count / size.elementCount, values)
    }

    /// Blocks of Q8_0 with the same values; false, and blocks half made, where Q8_0 can't have
    /// them.
    func readLevels(
        _ blocks: UnsafeRawPointer, count: Int, into q8_0: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        hasLevels && gk_format_to_q8_0(format, blocks, count / size.elementCount, q8_0) != 0
    }

    /// True where no value is infinite or NaN.
    func areFinite(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress else { return true }
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: size.elementCount) { room in
            guard let values = room.baseAddress else { return true }
            return (0..<bytes.count / size.byteCount).allSatisfy { block in
                read(start + block * size.byteCount, count: size.elementCount, into: values)
                return gk_are_finite(values, size.elementCount) != 0
            }
        }
    }
}
