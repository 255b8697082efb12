/// How GGUF stores a tensor. All types of today are known by name and size, so that the layout of
/// any file can be checked; all but integers can be read.
///
/// Source: ggml's `ggml_type` numbering.
struct GGUFTensorType: Equatable {
    private let type: ElementType

    /// Nil for numbers that no GGUF file may use.
    init?(_ number: UInt32) {
        guard let type = Self.known[number] else { return nil }
        self.type = type
    }

    var name: String { type.rawValue }
    var blockElementCount: Int { type.blockElementCount }
    var blockByteCount: Int { type.blockByteCount }

    /// The type that Graft reads it as; nil when it can't.
    var elementType: ElementType? { FloatReader(type) == nil ? nil : type }

    /// The number of a type that Graft reads; nil for types that GGUF lacks.
    static func number(of type: ElementType) -> UInt32? {
        FloatReader(type) == nil ? nil : known.first { $0.value == type }?.key
    }

    static let supportedNames = "F32, F16, BF16, F64 and the quantised types"

    private static let known: [UInt32: ElementType] = [
        0: .f32, 1: .f16, 2: .q4_0, 3: .q4_1, 6: .q5_0, 7: .q5_1, 8: .q8_0, 9: .q8_1, 10: .q2K,
        11: .q3K, 12: .q4K, 13: .q5K, 14: .q6K, 15: .q8K, 16: .iq2XXS, 17: .iq2XS, 18: .iq3XXS,
        19: .iq1S, 20: .iq4NL, 21: .iq3S, 22: .iq2S, 23: .iq4XS, 24: .i8, 25: .i16, 26: .i32,
        27: .i64, 28: .f64, 29: .iq1M, 30: .bf16, 34: .tq1_0, 35: .tq2_0, 39: .mxfp4, 40: .nvfp4,
        41: .q1_0,
    ]
}
