extension JSONValue {
    /// Reads one JSON text (RFC 8259), which must fill `bytes` but for white space around it.
    ///
    /// Stricter than the RFC asks: duplicate keys, unpaired surrogates, NUL characters in keys and
    /// numbers beyond `Double` are refused. Stack use is bounded by `limits.maximumDepth`.
    ///
    /// - Throws: `JSONError`, with the offset of the offending byte.
    /// - Complexity: O(byte count).
    public init(
        parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits()
    ) throws(JSONError) {
        guard bytes.count <= limits.maximumByteCount else {
            throw .tooLong(byteCount: bytes.count, limit: limits.maximumByteCount)
        }
        let text = bytes.bindMemory(to: UInt8.self)
        var scanner = JSONScanner(text, maximumDepth: limits.maximumDepth)
        try scanner.scan()
        guard scanner.result.misreadPairs.isEmpty else {
            try self.init(
                parsing: Self.unescaping(scanner.result.misreadPairs, in: text), limits: limits)
            return
        }
        let tree = try JSONTree(text, scan: scanner.result, maximumDepth: limits.maximumDepth)
        var conversion = JSONTreeConversion()
        let value = withExtendedLifetime(tree) { conversion.value(of: tree.root) }
        if conversion.memberCount != scanner.result.memberCount {
            throw DuplicateKeySearch.firstDuplicate(in: text)
        }
        self = value
    }

    /// The text with these characters in UTF-8 in place of their escapes.
    private static func unescaping(
        _ pairs: [JSONScanner.EscapedPair], in text: UnsafeBufferPointer<UInt8>
    ) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var start = 0
        for pair in pairs {
            result += text[start..<pair.offset]
            result += String(pair.scalar).utf8
            start = pair.offset + JSONScanner.EscapedPair.byteCount
        }
        return result + text[start...]
    }

    /// Reads one JSON text; see `init(parsing:limits:)` for raw bytes.
    public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(JSONError) in try JSONValue(parsing: buffer, limits: limits) }
        }
        self = try result.get()
    }

    /// Reads one JSON text; see `init(parsing:limits:)` for raw bytes.
    public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        var text = text
        let result = text.withUTF8 { buffer in
            Result { () throws(JSONError) in
                try JSONValue(parsing: UnsafeRawBufferPointer(buffer), limits: limits)
            }
        }
        self = try result.get()
    }
}
