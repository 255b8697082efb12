import Checkpoints
import Kernels

/// f32 values in a smaller type, rounded to nearest, ties to even; or in blocks of 8 or 4 bits.
enum NarrowFloats {
    /// The first value that the type can't hold: infinite after rounding. Nil where all fit. Scales
    /// of blocks are f16, so that what f16 holds is what they hold for certain.
    static func firstOverflow(
        _ values: UnsafeBufferPointer<Float>, in type: ElementType
    ) -> Int? {
        switch type {
        case .f16, .q8_0, .q4_0, .q4_1:
            values.firstIndex { !$0.isFinite || HalfPrecision.overflowsF16($0) }
        case .bf16: values.firstIndex { !$0.isFinite || HalfPrecision.overflowsBF16($0) }
        default: values.firstIndex { !$0.isFinite }
        }
    }

    /// The values' bytes, little-endian.
    ///
    /// - Parameter values: whole blocks of the type.
    static func bytes(
        _ values: UnsafeBufferPointer<Float>, as type: ElementType, pool: WorkerPool? = nil
    ) -> [UInt8] {
        switch type {
        case .f16: bytes(values, HalfPrecision.f16)
        case .bf16: bytes(values, HalfPrecision.bf16)
        case .q8_0: blocks(values, .q8_0, pool)
        case .q4_0: blocks(values, .q4_0, pool)
        case .q4_1: blocks(values, .q4_1, pool)
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

    private static func blocks(
        _ values: UnsafeBufferPointer<Float>, _ type: WeightType, _ pool: WorkerPool?
    ) -> [UInt8] {
        let taskValueCount = 1 << 16
        let byteCount = values.count / type.blockElementCount * type.blockByteCount
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initializedCount in
            let target = buffer.baseAddress
            let quantize = { (task: Int) in
                let first = task * taskValueCount
                let part = values[first..<min(values.count, first + taskValueCount)]
                guard let target else { return }
                BlockQuantizer.quantizePlainly(
                    UnsafeBufferPointer(rebasing: part), to: type,
                    into: target + first / type.blockElementCount * type.blockByteCount)
            }
            let taskCount = (values.count + taskValueCount - 1) / taskValueCount
            if let pool {
                pool.run(taskCount: taskCount) { task, _ in quantize(task) }
            } else {
                for task in 0..<taskCount { quantize(task) }
            }
            initializedCount = byteCount
        }
    }
}
