/// Why a text is not acceptable JSON. Offsets count bytes from the start of the text.
public enum JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(byteCount: Int, limit: Int)
    case byteOrderMark
    case invalidUTF8(offset: Int)
    case tooDeep(limit: Int, offset: Int)
    case duplicateKey(String, offset: Int)
    case nulInKey(offset: Int)
    case controlCharacter(UInt8, offset: Int)
    case badEscape(offset: Int)
    case unpairedSurrogate(offset: Int)
    case unterminatedString(offset: Int)
    case invalidNumber(offset: Int)
    case numberOutOfRange(offset: Int)
    case unexpectedByte(UInt8, offset: Int)
    case unexpectedEnd(offset: Int)
    case syntax(reason: String, offset: Int)

    public var description: String {
        switch self {
        case .empty: "the text is empty"
        case .tooLong(let byteCount, let limit):
            "the text has \(byteCount) bytes, the limit is \(limit)"
        case .byteOrderMark: "the text begins with a byte order mark (remove the first 3 bytes)"
        case .invalidUTF8(let offset): "byte \(offset) is not UTF-8"
        case .tooDeep(let limit, let offset): "nesting deeper than \(limit) at byte \(offset)"
        case .duplicateKey(let key, let offset):
            "duplicate key \(JSONError.quoted(key)) at byte \(offset)"
        case .nulInKey(let offset): "a key holds a NUL character at byte \(offset)"
        case .controlCharacter(let byte, let offset):
            "control character 0x\(JSONError.hexadecimal(byte)) at byte \(offset)"
        case .badEscape(let offset): "bad escape at byte \(offset)"
        case .unpairedSurrogate(let offset): "bad escape: unpaired surrogate at byte \(offset)"
        case .unterminatedString(let offset): "the string that begins at byte \(offset) has no end"
        case .invalidNumber(let offset): "malformed number at byte \(offset)"
        case .numberOutOfRange(let offset): "number out of range at byte \(offset)"
        case .unexpectedByte(let byte, let offset):
            "unexpected \(JSONError.character(byte)) at byte \(offset)"
        case .unexpectedEnd(let offset): "the text ends too early, at byte \(offset)"
        case .syntax(let reason, let offset): "\(reason) at byte \(offset)"
        }
    }

    /// The key as a JSON string, cut to a length that suits a message.
    private static func quoted(_ key: String) -> String {
        let shown = key.count > 100 ? String(key.prefix(100)) + "…" : key
        return JSONValue.string(shown).serialized()
    }

    private static func character(_ byte: UInt8) -> String {
        (0x21...0x7E).contains(byte)
            ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x\(hexadecimal(byte))"
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return digits.count == 1 ? "0" + digits : digits
    }
}
