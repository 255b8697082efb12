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

    /// Elements that are stored together: 32 of quantised types, else 1.
    public var blockElementCount: Int {
        switch self {
        case .q8_0, .q4_0, .q4_1: 32
        default: 1
        }
    }

    /// Bytes of a block of `blockElementCount` elements.
    public var blockByteCount: Int {
        switch self {
        case .f64, .i64, .u64: 8
        case .f32, .i32, .u32: 4
        case .f16, .bf16, .i16, .u16: 2
        case .i8, .u8, .bool, .f8E4M3, .f8E5M2: 1
        case .q8_0: 34
        case .q4_0: 18
        case .q4_1: 20
        }
    }
}
