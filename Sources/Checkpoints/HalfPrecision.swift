/// Conversions between f32 and the 16-bit floating-point types, as bit patterns.
///
/// Source: IEEE 754-2019 binary16; bfloat16 is the upper half of binary32.
public enum HalfPrecision {
    /// The value of an f16 bit pattern; exact.
    @inlinable
    public static func float(fromF16 bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = UInt32(bits >> 10) & 0x1F
        let fraction = UInt32(bits) & 0x3FF
        switch exponent {
        case 0x1F:
            return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        case 0:
            let magnitude = Float(fraction) * 0x1p-24
            return Float(bitPattern: sign | magnitude.bitPattern)
        default:
            return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }

    /// The value of a bf16 bit pattern; exact.
    @inlinable
    public static func float(fromBF16 bits: UInt16) -> Float {
        Float(bitPattern: UInt32(bits) << 16)
    }

    /// The bf16 bit pattern nearest to `value`, ties to even; a NaN stays a NaN.
    @inlinable
    public static func bf16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(bits >> 16) | 0x40 }
        return UInt16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    }

    /// The f16 bit pattern nearest to `value`, ties to even; a NaN stays a NaN.
    ///
    /// Finite values from 65520 on become infinities; `overflowsF16` tells beforehand.
    @inlinable
    public static func f16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        let sign = UInt16(bits >> 16) & 0x8000
        let magnitude = bits & 0x7FFF_FFFF
        if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
        if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
        if magnitude < 0x3880_0000 {
            // Adding a half makes the hardware round to multiples of 2^-24, ties to even.
            let shifted = Float(bitPattern: magnitude) + 0.5
            return sign | UInt16(shifted.bitPattern - Float(0.5).bitPattern)
        }
        let rounded = magnitude + 0xFFF + (magnitude >> 13 & 1)
        return sign | UInt16((rounded >> 13) - (112 << 10))
    }

    /// Whether a finite `value` would become an infinity as f16.
    @inlinable
    public static func overflowsF16(_ value: Float) -> Bool {
        value.isFinite && value.magnitude >= 65520
    }

    /// Whether a finite `value` would become an infinity as bf16.
    @inlinable
    public static func overflowsBF16(_ value: Float) -> Bool {
        value.isFinite && value.magnitude.bitPattern >= 0x7F7F_8000
    }
}
