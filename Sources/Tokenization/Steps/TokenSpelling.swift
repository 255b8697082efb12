import StrictJSON

/// What the spellings of tokens stand for (`decoder` in a `tokenizer.json`).
struct TokenSpelling: Sendable, Equatable {
    /// What is written in the place of what, in this order.
    var replacements: [Replacement] = []
    /// Whether `<0xHH>` stands for a byte.
    var hasBytePieces = false
    /// Whether each character is a byte in ``ByteAlphabet``.
    var isByteLevel = false
    var leadingSpace = LeadingSpace.kept

    /// Which spaces at the beginning of a text are not part of it.
    enum LeadingSpace: Sendable, Equatable {
        case kept
        case oneDropped
        /// All of the first token.
        case firstTokenDropped
    }

    struct Replacement: Sendable, Equatable {
        var pattern: [UInt8]
        var content: [UInt8]
    }

    static let byteLevel = TokenSpelling(isByteLevel: true)

    /// How many times as long a spelling may become.
    var growth: Int {
        replacements.reduce(1) {
            let step = TextNormalizer.growth(from: $1.pattern.count, to: $1.content.count)
            return min($0 * step, Int(Int32.max))
        }
    }

    /// The bytes that a token spelled so adds to a text.
    func bytes(of spelling: String) -> [UInt8] {
        if isByteLevel { return ByteAlphabet.bytes(spelledBy: spelling) }
        let bytes = replacements.reduce(Array(spelling.utf8)) {
            $0.replacingEach($1.pattern, with: $1.content)
        }
        guard hasBytePieces, let byte = Self.byteValue(of: bytes) else { return bytes }
        return [byte]
    }

    /// The byte that a token spelled so stands for.
    func byteValue(of spelling: String) -> UInt8? {
        guard hasBytePieces, spelling.utf8.count >= 4 else { return nil }
        return Self.byteValue(
            of: replacements.reduce(Array(spelling.utf8)) {
                $0.replacingEach($1.pattern, with: $1.content)
            })
    }

    /// The byte of `<0xHH>`, digits in either case.
    private static func byteValue(of bytes: [UInt8]) -> UInt8? {
        guard bytes.count == 6, bytes.starts(with: Array("<0x".utf8)), bytes[5] == UInt8(ascii: ">")
        else { return nil }
        return UInt8(String(decoding: bytes[3..<5], as: UTF8.self), radix: 16)
    }
}

/// Reads the `decoder` of a `tokenizer.json`.
enum SpellingReader {
    private static let supported = ["ByteLevel", "Metaspace", "Sequence"]
    private static let supportedSteps = ["Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"]

    /// - Throws: `unsupported`, `invalidField`.
    static func read(_ field: JSONField) throws(TokenizationError) -> TokenSpelling {
        switch try field["type"].string() {
        case "ByteLevel": return .byteLevel
        case "Metaspace": return try sequence([field])
        case "Sequence": return try sequence(try field["decoders"].elements())
        case let type:
            throw .unsupported(feature: "tokenizer decoder", name: type, supported: supported)
        }
    }

    /// Steps that change one token after the other, then at most one that looks at the whole text.
    private static func sequence(_ steps: [JSONField]) throws(TokenizationError) -> TokenSpelling {
        var spelling = TokenSpelling()
        var isFused = false
        for step in steps {
            let type = try step["type"].string()
            switch type {
            case "ByteLevel" where steps.count == 1: return .byteLevel
            case "Replace" where !isFused && !spelling.hasBytePieces:
                let (pattern, content) = try NormalizerReader.replacement(step)
                spelling.replacements.append(.init(pattern: pattern, content: content))
                try NormalizerReader.check(growth: spelling.growth, of: step)
            case "Metaspace" where spelling == TokenSpelling():
                let marks = try SpaceMarks(step)
                let space = [UInt8(ascii: " ")]
                spelling.replacements.append(.init(pattern: marks.mark, content: space))
                spelling.leadingSpace = marks.prefix == .never ? .kept : .firstTokenDropped
            case "ByteFallback" where !isFused: spelling.hasBytePieces = true
            case "Fuse": isFused = true
            case "Strip" where isFused && spelling.leadingSpace == .kept:
                spelling.leadingSpace = try stripped(step)
            default:
                throw .unsupported(
                    feature: "tokenizer decoder's step", name: type, supported: supportedSteps)
            }
        }
        return spelling
    }

    private static func stripped(
        _ step: JSONField
    ) throws(TokenizationError) -> TokenSpelling.LeadingSpace {
        let allowed: [(String, [JSONValue])] = [
            ("content", [.string(" ")]), ("start", [.integer(0), .integer(1)]),
            ("stop", [.integer(0)]),
        ]
        for (name, values) in allowed where !values.contains(step[name].value) {
            throw .invalidField(
                field: step[name].path,
                expected: values.map { $0.serialized() }.joined(separator: " or "),
                found: step[name].value.serialized())
        }
        return try step["start"].index() == 0 ? .kept : .oneDropped
    }
}
