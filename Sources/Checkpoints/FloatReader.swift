/// Reads elements of one floating-point type, or of one with blocks, from unaligned bytes.
package struct FloatReader {
    private let type: ElementType
    /// Of a type with blocks.
    private let blocks: BlockFormat?

    /// Nil for types that this doesn't read.
    package init?(_ type: ElementType) {
        blocks = BlockFormat(type)
        switch type {
        case .f32, .f16, .bf16, .f64: self.type = type
        default:
            guard blocks != nil else { return nil }
            self.type = type
        }
    }

    /// Widens the first `count` elements, whole blocks; `output` has room for them.
    package func read(
        _ bytes: UnsafeRawBufferPointer, count: Int, into output: UnsafeMutablePointer<Float>?
    ) {
        guard count > 0, let output, let start = bytes.baseAddress else { return }
        if let blocks { return blocks.read(start, count: count, into: output) }
        switch type {
        case .f32:
            UnsafeMutableRawPointer(output).copyMemory(from: start, byteCount: count * 4)
        case .f16:
            for index in 0..<count {
                output[index] = HalfPrecision.float(
                    fromF16: start.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
            }
        case .bf16:
            for index in 0..<count {
                output[index] = HalfPrecision.float(
                    fromBF16: start.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
            }
        default:
            for index in 0..<count {
                output[index] = Float(
                    start.loadUnaligned(fromByteOffset: 8 * index, as: Double.self))
            }
        }
    }

    /// Blocks of Q8_0 that hold the first `count` elements without loss.
    ///
    /// - Parameter output: room for their blocks, of 34 bytes.
    /// - Returns: false where there are none, and `output` is of no use.
    package func readLevels(
        _ bytes: UnsafeRawBufferPointer, count: Int, into output: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        guard let blocks, let start = bytes.baseAddress else { return false }
        return blocks.readLevels(start, count: count, into: output)
    }

    /// True for types of which Q8_0 may hold every value.
    package var hasLevels: Bool { blocks?.hasLevels ?? false }

    func isFinite(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool {
        if let blocks {
            let size = blocks.size
            var values = [Float](repeating: 0, count: size.elementCount)
            let start = bytes.baseAddress! + index / size.elementCount * size.byteCount
            blocks.read(start, count: size.elementCount, into: &values)
            return values[index % size.elementCount].isFinite
        }
        return switch type {
        case .f32: bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self).isFinite
        case .f16:
            bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self) & 0x7C00 != 0x7C00
        case .bf16:
            bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self) & 0x7F80 != 0x7F80
        default: bytes.loadUnaligned(fromByteOffset: 8 * index, as: Double.self).isFinite
        }
    }

    /// True where no element is infinite or NaN: bits alone tell, many at a time.
    func areFinite(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let blocks { return blocks.areFinite(bytes) }
        return switch type {
        case .f32: Self.areFinite(bytes, exponent: 0x7F80_0000 as UInt32)
        case .f16: Self.areFinite(bytes, exponent: 0x7C00 as UInt16)
        case .bf16: Self.areFinite(bytes, exponent: 0x7F80 as UInt16)
        default: Self.areFinite(bytes, exponent: 0x7FF0_0000_0000_0000 as UInt64)
        }
    }

    private static func areFinite<Bits: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, exponent: Bits
    ) -> Bool {
        var exceptions: Bits = 0
        for index in 0..<bytes.count / MemoryLayout<Bits>.size {
            let bits = bytes.loadUnaligned(
                fromByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self)
            exceptions |= bits & exponent == exponent ? 1 : 0
        }
        return exceptions == 0
    }
}

extension ElementType {
    /// True where no element is infinite or NaN; types that have none are.
    ///
    /// - Parameter bytes: whole elements, not necessarily aligned.
    package func areFinite(_ bytes: UnsafeRawBufferPointer) -> Bool {
        FloatReader(self)?.areFinite(bytes) ?? true
    }
}
