/// Finds which key a well-formed text repeats, once it is known that one is repeated.
///
/// A second pass over the bytes: the usual text, without duplicates, never pays for it.
enum DuplicateKeySearch {
    static func firstDuplicate(in bytes: UnsafeBufferPointer<UInt8>) -> JSONError {
        var open: [Set<JSONKey>] = []
        var offset = 0
        var lastString = 0..<0
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                lastString = offset..<endOfString(at: offset, in: bytes)
                offset = lastString.upperBound
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open.append([])
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                open.removeLast()
            case UInt8(ascii: ":"):
                let key = text(of: lastString, in: bytes)
                if !open[open.count - 1].insert(JSONKey(key)).inserted {
                    return .duplicateKey(key, offset: lastString.lowerBound)
                }
            default: break
            }
            offset += 1
        }
        return .syntax(reason: "members that can't be told apart", offset: bytes.count)
    }

    private static func endOfString(at start: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var offset = start + 1
        while bytes[offset] != UInt8(ascii: "\"") {
            offset += bytes[offset] == UInt8(ascii: "\\") ? 2 : 1
        }
        return offset + 1
    }

    /// What a quoted string stands for, so that `"a"` and `"\u0061"` are the same key.
    private static func text(of range: Range<Int>, in bytes: UnsafeBufferPointer<UInt8>) -> String {
        let quoted = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[range]))
        let value = try? JSONValue(parsing: quoted)
        return value?.stringValue ?? String(decoding: quoted, as: UTF8.self)
    }
}
