import Crypto
import StrictJSON

extension KnownChatTemplates {
    /// The format of the template with this text; nil where it isn't known.
    static func format(of template: String) -> ChatFormat? { format(hash: hash(of: template)) }

    /// The format of the template whose text has this hash.
    static func format(hash: String) -> ChatFormat? {
        let hash = Array(hash.utf8)
        var isFound = false
        for line in table.utf8.split(separator: UInt8(ascii: "\n")) {
            if line.first == UInt8(ascii: "{") {
                if isFound { return format(line: line) }
            } else if line.elementsEqual(hash) {
                isFound = true
            }
        }
        return nil
    }

    private static func format(line: Substring.UTF8View) -> ChatFormat? {
        (try? JSONValue(parsing: Array(line)))?.objectValue.flatMap { ChatFormat(json: $0) }
    }

    /// SHA-256 of what Jinja makes of the text before it reads it: line ends are `\n`, and one at
    /// the end is no part of it.
    static func hash(of template: String) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(template.utf8.count)
        var last: UInt8 = 0
        for byte in template.utf8 {
            let isSecondOfPair = last == UInt8(ascii: "\r") && byte == UInt8(ascii: "\n")
            if !isSecondOfPair {
                text.append(byte == UInt8(ascii: "\r") ? UInt8(ascii: "\n") : byte)
            }
            last = byte
        }
        if text.last == UInt8(ascii: "\n") { text.removeLast() }
        return SHA256.hash(data: text).map { byte in
            let digits = String(byte, radix: 16)
            return digits.utf8.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
