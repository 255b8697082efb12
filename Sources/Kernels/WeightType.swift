internal import CKernels

/// The element type of a weight matrix.
///
/// **Source**: block layouts as in the GGUF specification: Q8_0 {f16 scale, 32 signed bytes}, Q4_0
/// {f16 scale, 16 bytes of nibbles, offset 8}, Q4_1 {f16 scale, f16 minimum, 16 bytes of nibbles}.
public enum WeightType: String, Sendable, CaseIterable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case q8_0 = "Q8_0"
    case q4_0 = "Q4_0"
    case q4_1 = "Q4_1"

    /// Elements that share a block; 1 for plain types.
    public var blockElementCount: Int { gk_block_inputs(kernelType) }

    /// Bytes of a block.
    public var blockByteCount: Int { gk_block_bytes(kernelType) }

    var kernelType: gk_type {
        switch self {
        case .f32: GK_F32
        case .f16: GK_F16
        case .bf16: GK_BF16
        case .q8_0: GK_Q8_0
        case .q4_0: GK_Q4_0
        case .q4_1: GK_Q4_1
        }
    }
}
