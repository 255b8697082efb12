/// Reads a pattern from left to right and writes it in PCRE2's spelling.
struct PythonParser {
    let scalars: [Unicode.Scalar]
    var index = 0
    var depth = 0
    /// Widths of groups that are closed, by number; nil: open.
    var groups: [ExpressionWidth?] = [ExpressionWidth.none]
    var groupNames: [String: Int] = [:]
    /// Groups from this one on belong to the look-behind that is being read; nil: none is.
    var lookBehindStart: Int?
    /// The highest group that a condition asks for, and where.
    var condition: (group: Int, place: Int)?

    init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

    /// Something that was read.
    struct Item {
        enum Kind {
            case plain
            /// One character or a class of them.
            case character
            /// Stands at a place and takes no characters: nothing to repeat.
            case place
            case repeated
        }

        var text: String
        var width: ExpressionWidth
        var kind = Kind.plain
    }

    mutating func parse() throws(ExpressionError) -> String {
        var flags = PythonFlags()
        var isStart = true
        // Flags of the whole pattern stand before anything else.
        while isStart, let read = try globalFlags(&flags) { isStart = read }
        let item = try alternatives(flags)
        guard index == scalars.count else { throw invalid("unbalanced parenthesis") }
        if let condition, condition.group >= groups.count {
            throw invalid("invalid group reference \(condition.group)", at: condition.place)
        }
        return flags.ignoresCase ? "(?i:\(item.text))" : item.text
    }

    /// Alternatives up to the end, or to a closing parenthesis.
    mutating func alternatives(_ flags: PythonFlags) throws(ExpressionError) -> Item {
        depth += 1
        defer { depth -= 1 }
        guard depth <= ExpressionLimits.depth else {
            throw invalid("more than \(ExpressionLimits.depth) parentheses inside parentheses")
        }
        var branches = [try sequence(flags)]
        while take("|") { branches.append(try sequence(flags)) }
        guard branches.count > 1 else { return branches[0] }
        return Item(
            text: "(?:" + branches.map { Self.mark + $0.text }.joined(separator: "|") + ")",
            width: branches.dropFirst().reduce(branches[0].width) { $0.or($1.width) })
    }

    /// Items one after the other.
    mutating func sequence(_ flags: PythonFlags) throws(ExpressionError) -> Item {
        var result = Item(text: "", width: .none)
        while let next = peek(), next != "|", next != ")" {
            if flags.isVerbose, skipsVerbose() { continue }
            let start = index
            let item = try item(flags)
            guard let item else { continue }
            let whole = try repeated(item, start: start, flags)
            result.text += whole.text
            result.width = result.width + whole.width
        }
        return result
    }

    /// - Returns: nil for what means nothing, as a comment.
    private mutating func item(_ flags: PythonFlags) throws(ExpressionError) -> Item? {
        let start = index
        guard let character = pop() else { return nil }
        switch character {
        case "\\": return try escape(flags)
        case "[": return Item(text: try characterClass(flags), width: .one, kind: .character)
        case "(": return try group(flags)
        case ".":
            return Item(
                text: flags.dotMatchesAll ? #"[\x{0}-\x{10ffff}]"# : #"[^\x{a}]"#, width: .one,
                kind: .character)
        case "^":
            return Item(
                text: flags.isMultiline ? #"(?<![^\x{a}])"# : #"\A"#, width: .none, kind: .place)
        case "$": return Item(text: flags.isMultiline ? "(?m:$)" : "$", width: .none, kind: .place)
        case "*", "+", "?":
            throw invalid("nothing to repeat", at: start)
        case "{":
            if try bounds(after: index) != nil { throw invalid("nothing to repeat", at: start) }
            return Item(text: Self.literal(character), width: .one, kind: .character)
        default: return Item(text: Self.literal(character), width: .one, kind: .character)
        }
    }

    /// White space, or a comment up to the end of its line.
    private mutating func skipsVerbose() -> Bool {
        guard let next = peek() else { return false }
        if " \t\n\r\u{B}\u{C}".unicodeScalars.contains(next) {
            index += 1
            return true
        }
        guard next == "#" else { return false }
        while let next = pop(), next != "\n" {}
        return true
    }

    // Characters.

    func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
        index + ahead < scalars.count ? scalars[index + ahead] : nil
    }

    mutating func pop() -> Unicode.Scalar? {
        guard index < scalars.count else { return nil }
        index += 1
        return scalars[index - 1]
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek() == character else { return false }
        index += 1
        return true
    }

    func invalid(_ reason: String, at place: Int? = nil) -> ExpressionError {
        let offset = scalars[..<min(place ?? index, scalars.count)].reduce(0) {
            $0 + UTF8.width($1)
        }
        return .invalid(offset: offset, reason: reason)
    }

    /// Where steps are counted.
    static let mark = "(?C)"

    /// The character itself, whatever it means in a pattern.
    static func literal(_ character: Unicode.Scalar) -> String {
        switch character {
        case "a"..."z", "A"..."Z", "0"..."9", "_": String(character)
        case "!"..."/", ":"..."@", "["..."`", "{"..."~": "\\\(character)"
        default: #"\x{\#(String(character.value, radix: 16))}"#
        }
    }
}
