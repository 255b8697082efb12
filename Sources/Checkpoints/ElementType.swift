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
    case q5_0 = "Q5_0"
    case q5_1 = "Q5_1"
    case q8_1 = "Q8_1"
    case q1_0 = "Q1_0"
    case q2K = "Q2_K"
    case q3K = "Q3_K"
    case q4K = "Q4_K"
    case q5K = "Q5_K"
    case q6K = "Q6_K"
    case q8K = "Q8_K"
    case iq1S = "IQ1_S"
    case iq1M = "IQ1_M"
    case iq2XXS = "IQ2_XXS"
    case iq2XS = "IQ2_XS"
    case iq2S = "IQ2_S"
    case iq3XXS = "IQ3_XXS"
    case iq3S = "IQ3_S"
    case iq4NL = "IQ4_NL"
    case iq4XS = "IQ4_XS"
    case tq1_0 = "TQ1_0"
    case tq2_0 = "TQ2_0"
    case mxfp4 = "MXFP4"
    case nvfp4 = "NVFP4"

    /// The types that a safetensors header may name.
    static let safetensors = allCases.filter { $0.blockElementCount == 1 }

    /// Elements that are stored together; 1 of plain types.
    public var blockElementCount: Int { blockSize.elementCount }

    /// Bytes of a block of `blockElementCount` elements.
    public var blockByteCount: Int { blockSize.byteCount }

    /// Of types with blocks as the kernels' table of formats says, which is the only one.
    private var blockSize: (elementCount: Int, byteCount: Int) {
        if let format = BlockFormat(self) { return format.size }
        return switch self {
        case .f64, .i64, .u64: (1, 8)
        case .f32, .i32, .u32: (1, 4)
        case .f16, .bf16, .i16, .u16: (1, 2)
        default: (1, 1)
        }
    }
}
