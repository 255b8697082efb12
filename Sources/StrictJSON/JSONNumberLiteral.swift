/// A number as a JSON text spells it (RFC 8259, section 6).
struct JSONNumberLiteral {
    private let bytes: UnsafeBufferPointer<UInt8>
    let start: Int
    private(set) var end: Int
    private var integerEnd: Int
    private var exponentStart: Int?

    init(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) {
        self.bytes = bytes
        self.start = start
        end = start
        integerEnd = start
    }

    /// Finds the end of the literal; false when the grammar is violated.
    mutating func scan() -> Bool {
        take(UInt8(ascii: "-"))
        let integerStart = end
        guard takeDigits() else { return false }
        if bytes[integerStart] == UInt8(ascii: "0"), end - integerStart > 1 { return false }
        integerEnd = end
        if take(UInt8(ascii: ".")), !takeDigits() { return false }
        if end < bytes.count, bytes[end] | 0x20 == UInt8(ascii: "e") {
            exponentStart = end
            end += 1
            if !take(UInt8(ascii: "+")) { take(UInt8(ascii: "-")) }
            return takeDigits()
        }
        return true
    }

    /// Whether it is an integer literal beyond both `Int64` and `UInt64`.
    var isWideInteger: Bool {
        guard integerEnd == end, end - start >= 19 else { return false }
        return bytes[start] == UInt8(ascii: "-")
            ? Int64(text) == nil : UInt64(text) == nil
    }

    /// Whether its value fits `Double`. Only long literals and those with an exponent can fail to.
    var isFinite: Bool {
        guard exponentStart != nil || integerEnd - start > 300 else { return true }
        return Double(text)?.isFinite ?? false
    }

    private var text: String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self)
    }

    @discardableResult
    private mutating func take(_ byte: UInt8) -> Bool {
        guard end < bytes.count, bytes[end] == byte else { return false }
        end += 1
        return true
    }

    private mutating func takeDigits() -> Bool {
        let first = end
        while end < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[end]) {
            end += 1
        }
        return end > first
    }
}
