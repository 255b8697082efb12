/// GPT-2's spelling of bytes as printable characters.
///
/// Printable ASCII and Latin-1 bytes stand for themselves; the other 68 bytes are U+0100, U+0101 …
/// in order.
/// **Source:** the GPT-2 release, `encoder.py`.
enum ByteAlphabet {
    /// The character of each byte; its value is below U+0144.
    static let characters: [UInt16] = {
        var next: UInt16 = 0x100
        return (0...255).map { (byte: UInt16) in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
            default:
                defer { next += 1 }
                return next
            }
        }
    }()

    /// The byte of each character; nil for characters that spell none.
    private static let bytes: [UInt8?] = {
        var bytes = [UInt8?](repeating: nil, count: 0x144)
        for (byte, character) in characters.enumerated() { bytes[Int(character)] = UInt8(byte) }
        return bytes
    }()

    /// The UTF-8 spelling of each byte.
    static let spellings: [[UInt8]] = characters.map { character in
        Unicode.Scalar(character).map { Array(String(Character($0)).utf8) } ?? []
    }

    /// The bytes that `token` spells; where a character spells none, the token stands for itself.
    static func bytes(spelledBy token: String) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(token.utf8.count)
        for scalar in token.unicodeScalars {
            guard scalar.value < 0x144, let byte = bytes[Int(scalar.value)] else {
                return Array(token.utf8)
            }
            result.append(byte)
        }
        return result
    }
}
