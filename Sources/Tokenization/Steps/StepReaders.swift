import StrictJSON

/// Reads the `pre_tokenizer` of a `tokenizer.json`.
enum PreTokenizerReader {
    private static let supported = ["ByteLevel", "Digits", "Metaspace", "Sequence", "Split"]

    /// - Throws: `unsupported`, `invalidField`, `invalidRegularExpression`.
    static func read(_ field: JSONField, depth: Int = 0) throws(TokenizationError) -> PreTokenizer {
        if field.isAbsent { return .sequence([]) }
        switch try field["type"].string() {
        case "ByteLevel":
            let addsPrefixSpace = try field["add_prefix_space"].flag(absent: true)
            return try field["use_regex"].flag(absent: true)
                ? try KnownPreTokenizers.gpt2(addsPrefixSpace: addsPrefixSpace)
                : .byteLevel(addsPrefixSpace: addsPrefixSpace, nil)
        case "Digits":
            return try KnownPreTokenizers.digits(
                individual: try field["individual_digits"].flag(absent: false))
        case "Metaspace": return .spaceMarks(try SpaceMarks(field))
        case "Split": return try readSplit(field)
        case "Sequence" where depth < JSONNesting.limit:
            var steps: [PreTokenizer] = []
            for element in try field["pretokenizers"].elements() {
                steps.append(try read(element, depth: depth + 1))
            }
            return .sequence(steps)
        case "Sequence":
            throw .invalidField(
                field: field.path, expected: "nested at most \(JSONNesting.limit) deep",
                found: "deeper")
        case let type:
            throw .unsupported(feature: "pre-tokenizer", name: type, supported: supported)
        }
    }

    private static func readSplit(_ field: JSONField) throws(TokenizationError) -> PreTokenizer {
        let name = try field["behavior"].string()
        guard let behavior = SplitBehavior(rawValue: name) else {
            throw .unsupported(
                feature: "split behavior", name: name,
                supported: SplitBehavior.allCases.map(\.rawValue))
        }
        let pattern = field["pattern"]
        let literal = pattern["String"]
        let text =
            literal.isAbsent
            ? try pattern["Regex"].string() : RegularExpression.escape(try literal.string())
        return .split(
            try RegularExpression(text), behavior, inverted: try field["invert"].flag(absent: false)
        )
    }
}

extension SpaceMarks {
    /// A `Metaspace` step. Files from before `prepend_scheme` have `add_prefix_space` in its place.
    /// - Throws: `invalidField` or `unsupported`.
    init(_ field: JSONField) throws(TokenizationError) {
        let scheme = field["prepend_scheme"]
        let name = scheme.isAbsent ? "always" : try scheme.string()
        guard let prefix = Prefix(rawValue: name) else {
            throw .unsupported(
                feature: "prepend scheme", name: name, supported: Prefix.allCases.map(\.rawValue))
        }
        let mark = try field["replacement"].string()
        guard mark.unicodeScalars.count == 1 else {
            throw .invalidField(
                field: field["replacement"].path, expected: "one character", found: "'\(mark)'")
        }
        self.init(
            mark: Array(mark.utf8),
            prefix: try field["add_prefix_space"].flag(absent: true) ? prefix : .never,
            splits: try field["split"].flag(absent: true))
    }
}

/// Reads the `post_processor` of a `tokenizer.json`: the tokens around a single text.
enum PostProcessorReader {
    private static let supported = ["ByteLevel", "Sequence", "TemplateProcessing"]

    /// - Throws: `unsupported`, `invalidField`, `undefinedSpecialToken`.
    static func read(_ field: JSONField, depth: Int = 0) throws(TokenizationError)
        -> TextSurroundings
    {
        if field.isAbsent { return TextSurroundings() }
        switch try field["type"].string() {
        case "ByteLevel": return TextSurroundings()
        case "TemplateProcessing": return try readTemplate(field)
        case "Sequence" where depth < JSONNesting.limit:
            var result = TextSurroundings()
            for element in try field["processors"].elements() {
                let step = try read(element, depth: depth + 1)
                result.before = step.before + result.before
                result.after += step.after
            }
            return result
        case let type:
            throw .unsupported(feature: "post-processor", name: type, supported: supported)
        }
    }

    private static func readTemplate(_ field: JSONField) throws(TokenizationError)
        -> TextSurroundings
    {
        var result = TextSurroundings()
        var isPastText = false
        for element in try field["single"].elements() {
            guard !element["SpecialToken"].isAbsent else {
                _ = try element["Sequence"].object()
                isPastText = true
                continue
            }
            let ids = try specialTokenIDs(element["SpecialToken"]["id"], of: field)
            if isPastText { result.after += ids } else { result.before += ids }
        }
        return result
    }

    private static func specialTokenIDs(
        _ name: JSONField, of template: JSONField
    ) throws(TokenizationError) -> [Int] {
        let definition = template["special_tokens"][try name.string()]
        guard !definition.isAbsent else {
            throw .undefinedSpecialToken(name: try name.string(), field: template["single"].path)
        }
        var ids: [Int] = []
        for id in try definition["ids"].elements() { ids.append(try id.index()) }
        return ids
    }
}

extension RegularExpression {
    /// A pattern that matches `text` literally.
    static func escape(_ text: String) -> String {
        var pattern = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isPlain =
                scalar.value >= 0x80 || scalar.properties.isAlphabetic
                || scalar.properties.numericType != nil || scalar == " "
            if !isPlain { pattern.append("\\") }
            pattern.append(scalar)
        }
        return String(pattern)
    }
}
