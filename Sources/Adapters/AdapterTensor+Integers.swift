internal import Checkpoints

extension AdapterTensor {
    /// The values of a tensor of integers, each checked.
    ///
    /// - Parameters:
    ///   - range: where values may lie.
    ///   - meaning: what they count, for messages.
    /// - Throws: `AdapterError.unsupportedType` for other types, `.invalidValues` for values
    ///   outside.
    func integers(
        in range: Range<Int>, meaning: String, file: String
    ) throws(AdapterError) -> [Int] {
        let found: [Int]
        switch elementType {
        case .i64: found = stored(Int64.self)
        case .i32: found = stored(Int32.self)
        case .i16: found = stored(Int16.self)
        case .u8: found = stored(UInt8.self)
        default:
            throw .unsupportedType(
                tensor: name, found: elementType.rawValue, supported: "I64, I32, I16 and U8",
                file: file)
        }
        if let value = found.first(where: { !range.contains($0) }) {
            throw .invalidValues(
                tensor: name,
                reason: "it has \(value), and the \(meaning) go from "
                    + "\(range.lowerBound) to \(range.upperBound - 1)", file: file)
        }
        return found
    }

    private func stored<Value: FixedWidthInteger>(_ type: Value.Type) -> [Int] {
        let width = MemoryLayout<Value>.size
        return withBytes { bytes in
            (0..<bytes.count / width).map { index in
                Int(
                    truncatingIfNeeded: Value(
                        littleEndian: bytes.loadUnaligned(
                            fromByteOffset: index * width, as: Value.self)))
            }
        }
    }
}
