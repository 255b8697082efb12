internal import Crypto

/// SHA-256 of several parts: each goes in with its length in front, so that no two contents run
/// together.
struct ContentHasher {
    private var hasher = SHA256()

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        Self.withFrame(of: bytes.count) { hasher.update(bufferPointer: $0) }
        hasher.update(bufferPointer: bytes)
    }

    mutating func update(_ text: String) {
        Array(text.utf8).withUnsafeBytes { update($0) }
    }

    /// Parts that `framed` made ready.
    mutating func append(_ parts: [UInt8]) {
        parts.withUnsafeBytes { hasher.update(bufferPointer: $0) }
    }

    /// Texts as they go in.
    static func framed(_ texts: String...) -> [UInt8] {
        var parts: [UInt8] = []
        for text in texts {
            withFrame(of: text.utf8.count) { parts += $0 }
            parts += text.utf8
        }
        return parts
    }

    /// In hexadecimal.
    func finish() -> String {
        hasher.finalize().map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    private static func withFrame(of count: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
        withUnsafeBytes(of: UInt64(count).littleEndian, body)
    }
}
