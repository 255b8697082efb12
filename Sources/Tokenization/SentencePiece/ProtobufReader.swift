/// Reads one protobuf message field by field, inside its bounds.
///
/// **Source:** protobuf.dev, “Encoding”. Groups (wire types 3 and 4) are refused; no model uses
/// them.
struct ProtobufReader {
    /// What a field holds.
    enum Value {
        case varint(UInt64)
        case fixed32(UInt32)
        case fixed64
        /// A range of the file's bytes.
        case bytes(Range<Int>)
    }

    private let file: UnsafeBufferPointer<UInt8>
    private(set) var offset: Int
    private let end: Int

    /// A reader of the message that lies at `range` of `file`.
    init(_ file: UnsafeBufferPointer<UInt8>, in range: Range<Int>) {
        self.file = file
        offset = range.lowerBound
        end = range.upperBound
    }

    /// The next field; nil at the end of the message.
    /// - Throws: `malformedSentencePieceModel`.
    mutating func next() throws(TokenizationError) -> (number: Int, value: Value)? {
        guard offset < end else { return nil }
        let start = offset
        let key = try varint()
        guard key >> 3 > 0 && key >> 3 < 1 << 29 else {
            throw malformed("invalid field number", at: start)
        }
        switch key & 7 {
        case 0: return (Int(key >> 3), .varint(try varint()))
        case 1:
            _ = try take(8)
            return (Int(key >> 3), .fixed64)
        case 2:
            let count = try varint()
            guard count <= UInt64(end - offset) else {
                throw malformed("a field of \(count) bytes reaches past its message", at: start)
            }
            return (Int(key >> 3), .bytes(try take(Int(count))))
        case 5:
            let range = try take(4)
            let bits = range.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32(file[$1]) }
            return (Int(key >> 3), .fixed32(bits))
        default: throw malformed("wire type \(key & 7) is not allowed", at: start)
        }
    }

    private mutating func varint() throws(TokenizationError) -> UInt64 {
        let start = offset
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard offset < end else { throw malformed("the file is truncated", at: start) }
            let byte = file[offset]
            offset += 1
            guard shift < 63 || byte < 2 else { break }
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        throw malformed("a number is longer than 64 bits", at: start)
    }

    private mutating func take(_ count: Int) throws(TokenizationError) -> Range<Int> {
        guard count <= end - offset else { throw malformed("the file is truncated", at: offset) }
        defer { offset += count }
        return offset..<offset + count
    }

    private func malformed(_ reason: String, at offset: Int) -> TokenizationError {
        .malformedSentencePieceModel(offset: offset, reason: reason)
    }
}
