internal import StrictJSON

/// Reads the `normalizer` of a `tokenizer.json`.
enum NormalizerReader {
    private static let supported = ["NFC", "Prepend", "Replace", "Sequence"]
    /// How many times as long a text may become; marks for spaces make it three times as long at
    /// most.
    private static let growthLimit = 16

    /// - Throws: `unsupported`, `invalidField`.
    static func read(_ field: JSONField) throws(TokenizationError) -> TextNormalizer {
        let normalizer = try read(field, depth: 0)
        try check(growth: normalizer.growth, of: field)
        return normalizer
    }

    /// - Throws: `invalidField` where the steps make a text longer than any vocabulary needs.
    static func check(growth: Int, of field: JSONField) throws(TokenizationError) {
        guard growth <= growthLimit else {
            throw .invalidField(
                field: field.path,
                expected: "such that a text becomes at most \(growthLimit) times as long",
                found: "such that it may become longer")
        }
    }

    private static func read(
        _ field: JSONField, depth: Int
    ) throws(TokenizationError) -> TextNormalizer {
        if field.isAbsent { return .none }
        switch try field["type"].string() {
        case "NFC": return .canonicalComposition
        case "Prepend":
            let prefix = Array(try field["prepend"].string().utf8)
            try check(growth: prefix.count, of: field["prepend"])
            return .prepend(prefix)
        case "Replace":
            let (pattern, content) = try replacement(field)
            return .replace(pattern, with: content)
        case "Sequence" where depth < JSONNesting.limit:
            var steps: [TextNormalizer] = []
            for element in try field["normalizers"].elements() {
                let step = try read(element, depth: depth + 1)
                if step != .none { steps.append(step) }
            }
            return steps.isEmpty ? .none : steps.count == 1 ? steps[0] : .sequence(steps)
        case "Sequence":
            throw .invalidField(
                field: field.path, expected: "nested at most \(JSONNesting.limit) deep",
                found: "deeper")
        case let type:
            throw .unsupported(feature: "normalizer", name: type, supported: supported)
        }
    }

    /// What a `Replace` step writes as what.
    /// - Throws: `invalidField`; `unsupported` for regular expressions.
    static func replacement(
        _ field: JSONField
    ) throws(TokenizationError) -> (pattern: [UInt8], content: [UInt8]) {
        let pattern = field["pattern"]
        if let expression = pattern["Regex"].value.stringValue {
            throw .unsupported(
                feature: "replacement of the regular expression", name: expression,
                supported: ["replacements of a text"])
        }
        let text = Array(try pattern["String"].string().utf8)
        guard !text.isEmpty else { throw pattern["String"].mismatch("a text that isn't empty") }
        return (text, Array(try field["content"].string().utf8))
    }
}
