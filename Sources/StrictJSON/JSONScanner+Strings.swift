extension JSONScanner {
    /// Passes over a string: control characters, escapes, surrogate pairs and UTF-8 are checked.
    mutating func scanString() throws(JSONError) {
        let start = offset
        nulEscapeOffset = nil
        offset += 1
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                offset += 1
                return
            case UInt8(ascii: "\\"): try scanEscape(stringStart: start)
            case 0..<0x20: throw .controlCharacter(bytes[offset], offset: offset)
            case 0..<0x80: offset += 1
            default: try scanCharacter()
            }
        }
        throw .unterminatedString(offset: start)
    }

    private mutating func scanEscape(stringStart: Int) throws(JSONError) {
        guard offset + 1 < bytes.count else { throw .unterminatedString(offset: stringStart) }
        switch bytes[offset + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 2
        case UInt8(ascii: "u"):
            try scanUnicodeEscape()
        default:
            throw .badEscape(offset: offset)
        }
    }

    private mutating func scanUnicodeEscape() throws(JSONError) {
        guard let unit = codeUnit(at: offset) else { throw .badEscape(offset: offset) }
        switch unit {
        case 0:
            nulEscapeOffset = offset
            offset += 6
        case 0xD800...0xDBFF:
            guard let second = codeUnit(at: offset + 6), (0xDC00...0xDFFF).contains(second) else {
                throw .unpairedSurrogate(offset: offset)
            }
            notePair(unit, second)
            offset += EscapedPair.byteCount
        case 0xDC00...0xDFFF:
            throw .unpairedSurrogate(offset: offset)
        default:
            offset += 6
        }
    }

    /// json-c 0.16 takes the low half of a joined pair for a surrogate once more.
    private mutating func notePair(_ high: UInt16, _ low: UInt16) {
        let value = 0x10000 + (UInt32(high - 0xD800) << 10 | UInt32(low - 0xDC00))
        guard (0xD800...0xDFFF).contains(value & 0xFFFF), let scalar = Unicode.Scalar(value) else {
            return
        }
        result.misreadPairs.append(EscapedPair(offset: offset, scalar: scalar))
    }

    /// The UTF-16 code unit of the escape of `\u` and four digits at `place`; nil when there is
    /// none.
    private func codeUnit(at place: Int) -> UInt16? {
        guard place + 6 <= bytes.count, bytes[place] == UInt8(ascii: "\\"),
            bytes[place + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt16 = 0
        for byte in bytes[(place + 2)..<(place + 6)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    /// Passes over one character of two to four bytes (The Unicode Standard, table 3-7).
    private mutating func scanCharacter() throws(JSONError) {
        let second: ClosedRange<UInt8>
        let byteCount: Int
        switch bytes[offset] {
        case 0xC2...0xDF: (byteCount, second) = (2, 0x80...0xBF)
        case 0xE0: (byteCount, second) = (3, 0xA0...0xBF)
        case 0xED: (byteCount, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (byteCount, second) = (3, 0x80...0xBF)
        case 0xF0: (byteCount, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (byteCount, second) = (4, 0x80...0xBF)
        case 0xF4: (byteCount, second) = (4, 0x80...0x8F)
        default: throw .invalidUTF8(offset: offset)
        }
        guard offset + byteCount <= bytes.count, second.contains(bytes[offset + 1]),
            bytes[(offset + 2)..<(offset + byteCount)].allSatisfy({ $0 & 0xC0 == 0x80 })
        else { throw .invalidUTF8(offset: offset) }
        offset += byteCount
    }
}
