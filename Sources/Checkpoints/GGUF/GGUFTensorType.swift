/// How GGUF stores a tensor. All types of today are known by name and size, so that the layout of
/// any file can be checked; those with an `elementType` can be read.
///
/// Source: ggml's `ggml_type` numbering.
struct GGUFTensorType: Equatable {
    let name: String
    let blockElementCount: Int
    let blockByteCount: Int
    /// The type that Graft reads it as; nil when it can't.
    let elementType: ElementType?

    /// Nil for numbers that no GGUF file may use.
    init?(_ number: UInt32) {
        if let type = Self.plain[number] {
            name = type.rawValue
            blockElementCount = type.blockElementCount
            blockByteCount = type.blockByteCount
            elementType = Self.readable.contains(type) ? type : nil
            return
        }
        guard let entry = Self.unread[number] else { return nil }
        (name, blockElementCount, blockByteCount) = entry
        elementType = nil
    }

    /// The number of a type that Graft reads; nil for types that GGUF lacks.
    static func number(of type: ElementType) -> UInt32? {
        readable.contains(type) ? plain.first { $0.value == type }?.key : nil
    }

    static let supportedNames =
        readable.dropLast().map(\.rawValue).joined(separator: ", ")
        + " and " + (readable.last?.rawValue ?? "")

    private static let readable: [ElementType] = [.f32, .f16, .bf16, .q8_0, .q4_0, .q4_1]

    /// Those whose sizes `ElementType` knows.
    private static let plain: [UInt32: ElementType] = [
        0: .f32, 1: .f16, 2: .q4_0, 3: .q4_1, 8: .q8_0, 24: .i8, 25: .i16, 26: .i32, 27: .i64,
        28: .f64, 30: .bf16,
    ]

    /// Number → name, elements of a block, bytes of a block, of those that nothing here computes
    /// with.
    private static let unread: [UInt32: (String, Int, Int)] = [
        6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 9: ("Q8_1", 32, 36),
        10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
        13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
        16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
        19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
        22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 29: ("IQ1_M", 256, 56),
        34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    ]
}
