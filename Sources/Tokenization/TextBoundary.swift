/// What kind of characters touch a place in a text of valid UTF-8.
enum TextBoundary {
    /// Whether a word character touches `range` on either side.
    static func isInsideWord(_ range: Range<Int>, of text: UnsafeBufferPointer<UInt8>) -> Bool {
        let before = scalar(endingAt: range.lowerBound, in: text)
        let after = scalar(at: range.upperBound, in: text)
        return [before, after].contains { $0.map { isWordCharacter($0.scalar) } ?? false }
    }

    /// Where the run of white space that ends at `index` begins.
    static func whiteSpaceStart(before index: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
        var start = index
        while let (scalar, count) = scalar(endingAt: start, in: text),
            scalar.properties.isWhitespace
        {
            start -= count
        }
        return start
    }

    /// Where the run of white space that begins at `index` ends.
    static func whiteSpaceEnd(after index: Int, in text: UnsafeBufferPointer<UInt8>) -> Int {
        var end = index
        while let (scalar, count) = scalar(at: end, in: text), scalar.properties.isWhitespace {
            end += count
        }
        return end
    }

    /// Unicode's word characters. **Source:** Unicode Technical Standard 18, annex C.
    private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
            true
        default: scalar.properties.isAlphabetic || scalar.properties.isJoinControl
        }
    }

    private static func scalar(
        at index: Int, in text: UnsafeBufferPointer<UInt8>
    ) -> (scalar: Unicode.Scalar, byteCount: Int)? {
        guard index < text.count, let shape = UTF8Validation.shape(lead: text[index]) else {
            return nil
        }
        let bytes = text[index..<min(text.count, index + shape.byteCount)]
        return String(decoding: bytes, as: UTF8.self).unicodeScalars.first.map { ($0, bytes.count) }
    }

    private static func scalar(
        endingAt end: Int, in text: UnsafeBufferPointer<UInt8>
    ) -> (scalar: Unicode.Scalar, byteCount: Int)? {
        guard end > 0 else { return nil }
        var start = end - 1
        while start > 0 && text[start] & 0xC0 == 0x80 { start -= 1 }
        return scalar(at: start, in: text)
    }
}
