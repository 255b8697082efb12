/// How GGUF stores a tensor. All types of today are known by name and size, so that the layout of
/// any file can be checked; those with an `elementType` can be read.
///
/// Source: ggml's `ggml_type` numbering.
struct GGUFTensorType: Equatable {
    let name: String
    let blockElementCount: Int
    let blockByteCount: Int

    /// Nil for numbers that no GGUF file may use.
    init?(_ number: UInt32) {
        guard let entry = Self.known[number] else { return nil }
        (name, blockElementCount, blockByteCount) = entry
    }

    /// The type that Graft reads it as; nil when it can't.
    var elementType: ElementType? {
        switch name {
        case "F32": .f32
        case "F16": .f16
        case "BF16": .bf16
        case "Q8_0": .q8_0
        case "Q4_0": .q4_0
        case "Q4_1": .q4_1
        default: nil
        }
    }

    /// The number of a type that Graft reads; nil for types that GGUF lacks.
    static func number(of type: ElementType) -> UInt32? {
        known.keys.first { GGUFTensorType($0)?.elementType == type }
    }

    static let supportedNames = "F32, F16, BF16, Q8_0, Q4_0 and Q4_1"

    /// Number → name, elements of a block, bytes of a block.
    private static let known: [UInt32: (String, Int, Int)] = [
        0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
        6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36),
        10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
        13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
        16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
        19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
        22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
        26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56),
        30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    ]
}
