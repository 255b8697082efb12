/// Checks the tokens of a JSON text in one pass without recursion; json-c then checks their order.
///
/// json-c lets through what differs between its versions or is silently repaired (unpaired
/// surrogates, control characters, `NaN`, integers out of range); all of that is settled here.
struct JSONScanner {
    /// What the scan found out about the text.
    struct Result {
        /// Colons outside strings: as many as there are members, duplicates included.
        var memberCount = 0
        /// Length of the text without the white space at its end.
        var endOffset = 0
        /// Where integer literals end that don't fit 64 bits, in ascending order.
        var wideIntegerEnds: [Int] = []
        /// Escaped surrogate pairs that json-c would turn into U+FFFD, in ascending order.
        var misreadPairs: [EscapedPair] = []
    }

    /// One character written as two escapes of `\u` and four digits.
    struct EscapedPair {
        static let byteCount = 12
        let offset: Int
        let scalar: Unicode.Scalar
    }

    let bytes: UnsafeBufferPointer<UInt8>
    let maximumDepth: Int
    var result = Result()
    var offset = 0
    private var depth = 0
    /// Where the string scanned last has a NUL escape.
    var nulEscapeOffset: Int?

    init(_ bytes: UnsafeBufferPointer<UInt8>, maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    mutating func scan() throws(JSONError) {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw .byteOrderMark }
        while offset < bytes.count {
            let byte = bytes[offset]
            if Self.isWhitespace(byte) {
                offset += 1
                continue
            }
            try scanToken(byte)
            result.endOffset = offset
        }
        if result.endOffset == 0 { throw .empty }
        if depth > 0 { throw .unexpectedEnd(offset: result.endOffset) }
    }

    private mutating func scanToken(_ first: UInt8) throws(JSONError) {
        switch first {
        case UInt8(ascii: "\""):
            try scanString()
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            if depth > maximumDepth { throw .tooDeep(limit: maximumDepth, offset: offset) }
            offset += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            if depth == 0 { throw .unexpectedByte(first, offset: offset) }
            depth -= 1
            offset += 1
        case UInt8(ascii: ","):
            offset += 1
        case UInt8(ascii: ":"):
            if let nulEscapeOffset { throw .nulInKey(offset: nulEscapeOffset) }
            result.memberCount += 1
            offset += 1
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try scanNumber()
        case UInt8(ascii: "t"): try scanWord("true")
        case UInt8(ascii: "f"): try scanWord("false")
        case UInt8(ascii: "n"): try scanWord("null")
        default:
            throw .unexpectedByte(first, offset: offset)
        }
    }

    private mutating func scanWord(_ word: StaticString) throws(JSONError) {
        for position in 0..<word.utf8CodeUnitCount {
            let place = offset + position
            guard place < bytes.count else { throw .unexpectedEnd(offset: bytes.count) }
            guard bytes[place] == word.utf8Start[position] else {
                throw .unexpectedByte(bytes[place], offset: place)
            }
        }
        offset += word.utf8CodeUnitCount
        try checkDelimiter()
    }

    private mutating func scanNumber() throws(JSONError) {
        var literal = JSONNumberLiteral(bytes, at: offset)
        guard literal.scan() else { throw .invalidNumber(offset: offset) }
        guard literal.isFinite else { throw .numberOutOfRange(offset: offset) }
        offset = literal.end
        if literal.isWideInteger { result.wideIntegerEnds.append(offset) }
        guard offset == bytes.count || Self.isDelimiter(bytes[offset]) else {
            throw .invalidNumber(offset: literal.start)
        }
    }

    private func checkDelimiter() throws(JSONError) {
        guard offset < bytes.count, !Self.isDelimiter(bytes[offset]) else { return }
        throw .unexpectedByte(bytes[offset], offset: offset)
    }

    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ":"): true
        default: isWhitespace(byte)
        }
    }
}
