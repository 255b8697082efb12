extension JSONValue {
    /// The value as JSON text: on one line, or indented by two spaces a level when `pretty`.
    ///
    /// Doubles are written with the fewest digits that read back the same; infinities and NaN,
    /// which JSON doesn't have, are written as `null`. Members keep their order, so equal input
    /// gives equal bytes.
    public func serialized(pretty: Bool = false) -> String {
        var writer = JSONWriter(isPretty: pretty)
        writer.write(self, level: 0)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// Appends JSON text to a buffer.
private struct JSONWriter {
    let isPretty: Bool
    var bytes: [UInt8] = []

    init(isPretty: Bool) { self.isPretty = isPretty }

    mutating func write(_ value: JSONValue, level: Int) {
        switch value {
        case .null: append("null")
        case .bool(let value): append(value ? "true" : "false")
        case .integer(let value): append(String(value))
        case .unsigned(let value): append(String(value))
        case .number(let value): append(value.isFinite ? value.description : "null")
        case .string(let value): writeString(value)
        case .array(let elements):
            writeList("[", "]", elements, level) { $0.write($1, level: level + 1) }
        case .object(let members):
            writeList("{", "}", members, level) { writer, member in
                writer.writeString(member.key)
                writer.append(writer.isPretty ? ": " : ":")
                writer.write(member.value, level: level + 1)
            }
        }
    }

    private mutating func writeList<Items: Sequence>(
        _ open: String, _ close: String, _ items: Items, _ level: Int,
        _ writeItem: (inout JSONWriter, Items.Element) -> Void
    ) {
        append(open)
        var isFirst = true
        for item in items {
            if !isFirst { append(",") }
            isFirst = false
            breakLine(level + 1)
            writeItem(&self, item)
        }
        if !isFirst { breakLine(level) }
        append(close)
    }

    private mutating func breakLine(_ level: Int) {
        guard isPretty else { return }
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: 2 * level))
    }

    /// Most strings need no escape, so runs of plain bytes are copied whole.
    private mutating func writeString(_ text: String) {
        var text = text
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { buffer in
            var plainStart = 0
            for (offset, byte) in buffer.enumerated() where Self.needsEscape(byte) {
                bytes.append(contentsOf: buffer[plainStart..<offset])
                writeEscape(byte)
                plainStart = offset + 1
            }
            bytes.append(contentsOf: buffer[plainStart...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func writeEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x08: append("\\b")
        case 0x09: append("\\t")
        case 0x0A: append("\\n")
        case 0x0C: append("\\f")
        case 0x0D: append("\\r")
        default: append((byte < 0x10 ? "\\u000" : "\\u00") + String(byte, radix: 16))
        }
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
