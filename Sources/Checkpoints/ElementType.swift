internal import CKernels

/// What the elements of a stored tensor are; the raw values are the spellings of safetensors and
/// GGUF.
public enum ElementType: String, Sendable, CaseIterable {
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case i64 = "I64"
    case i32 = "I32"
    case i16 = "I16"
    case i8 = "I8"
    case u64 = "U64"
    case u32 = "U32"
    case u16 = "U16"
    case u8 = "U8"
    case bool = "BOOL"
    case f8E4M3 = "F8_E4M3"
    case f8E5M2 = "F8_E5M2"
    case q8_0 = "Q8_0"
    case q4_0 = "Q4_0"
    case q4_1 = "Q4_1"

    /// The types that a safetensors header may name.
    static let safetensors = allCases.filter { $0.blockElementCount == 1 }

    /// Elements that are stored together; 1 of plain types.
    public var blockElementCount: Int { kernelType.map(gk_block_inputs) ?? 1 }

    /// Bytes of a block of `blockElementCount` elements.
    public var blockByteCount: Int {
        if let kernelType { return gk_block_bytes(kernelType) }
        return switch self {
        case .f64, .i64, .u64: 8
        case .i32, .u32: 4
        case .i16, .u16: 2
        default: 1
        }
    }

    /// What the kernels compute with, whose table of blocks is the only one; nil for other types.
    private var kernelType: gk_type? {
        switch self {
        case .f32: GK_F32
        case .f16: GK_F16
        case .bf16: GK_BF16
        case .q8_0: GK_Q8_0
        case .q4_0: GK_Q4_0
        case .q4_1: GK_Q4_1
        default: nil
        }
    }
}
