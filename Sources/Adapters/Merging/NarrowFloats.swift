import Checkpoints

/// f32 values in a smaller type, rounded to nearest, ties to even.
enum NarrowFloats {
    /// The first value that the type can't hold: infinite after rounding. Nil where all fit.
    static func firstOverflow(
        _ values: UnsafeBufferPointer<Float>, in type: ElementType
    ) -> Int? {
        switch type {
        case .f16: values.firstIndex { !$0.isFinite || HalfPrecision.overflowsF16($0) }
        case .bf16: values.firstIndex { !$0.isFinite || HalfPrecision.overflowsBF16($0) }
        default: values.firstIndex { !$0.isFinite }
        }
    }

    /// The values' bytes, little-endian.
    static func bytes(_ values: UnsafeBufferPointer<Float>, as type: ElementType) -> [UInt8] {
        switch type {
        case .f16: bytes(values, HalfPrecision.f16)
        case .bf16: bytes(values, HalfPrecision.bf16)
        default: [UInt8](UnsafeRawBufferPointer(values))
        }
    }

    private static func bytes(
        _ values: UnsafeBufferPointer<Float>, _ narrow: (Float) -> UInt16
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: values.count * 2) { buffer, initializedCount in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for index in 0..<values.count {
                raw.storeBytes(
                    of: narrow(values[index]).littleEndian, toByteOffset: 2 * index,
                    as: UInt16.self)
            }
            initializedCount = values.count * 2
        }
    }
}
