/// Rules of well-formed UTF-8 (The Unicode Standard, table 3-7).
enum UTF8Validation {
    /// The number of bytes of a character that begins with `lead`, and the values its second byte
    /// may have; nil when no character begins so.
    @inline(__always)
    static func shape(lead: UInt8) -> (byteCount: Int, second: ClosedRange<UInt8>)? {
        switch lead {
        case 0x00...0x7F: (1, 0x80...0xBF)
        case 0xC2...0xDF: (2, 0x80...0xBF)
        case 0xE0: (3, 0xA0...0xBF)
        case 0xED: (3, 0x80...0x9F)
        case 0xE1...0xEF: (3, 0x80...0xBF)
        case 0xF0: (4, 0x90...0xBF)
        case 0xF1...0xF3: (4, 0x80...0xBF)
        case 0xF4: (4, 0x80...0x8F)
        default: nil
        }
    }

    /// The offset of the first byte that begins no well-formed character; nil when all of `bytes`
    /// is UTF-8.
    static func firstInvalidByte(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        var index = 0
        while index < bytes.count {
            guard let shape = shape(lead: bytes[index]), index + shape.byteCount <= bytes.count
            else {
                return index
            }
            for position in 1..<max(shape.byteCount, 1) {
                let allowed = position == 1 ? shape.second : 0x80...0xBF
                guard allowed.contains(bytes[index + position]) else { return index }
            }
            index += shape.byteCount
        }
        return nil
    }

    /// How many bytes at the end of `bytes` begin a character that more bytes could complete: 0 to
    /// 3.
    static func incompleteSuffixCount(of bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let start = bytes.count - count
            guard let shape = shape(lead: bytes[start]), shape.byteCount > count else { continue }
            let fits = (1..<max(count, 1)).allSatisfy { position in
                (position == 1 ? shape.second : 0x80...0xBF).contains(bytes[start + position])
            }
            if fits { return count }
        }
        return 0
    }
}
