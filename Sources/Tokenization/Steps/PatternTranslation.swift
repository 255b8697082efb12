/// Rewrites Oniguruma's patterns for PCRE2.
///
/// Both read most of a pattern alike. What differs: `\s` is Unicode's White_Space; `\w` is what
/// `CharacterClasses` has; `\h` is a hexadecimal digit; `{n,m}+` repeats, and `{n}?` may be
/// missing, where PCRE2 would take the one for possessive and the other for reluctant; `{,m}`
/// begins at 0; `(?m)` lets the dot match line ends.
/// **Source:** doc/RE of Oniguruma 6.9; its matches as `tokenizers` shows them.
enum PatternTranslation {
    /// `pattern` in PCRE2's spelling.
    /// - Throws: `invalidRegularExpression` for set operations, which PCRE2 would take for plain
    ///   characters, and for options that don't exist in Oniguruma.
    static func translate(_ pattern: String) throws(TokenizationError) -> String {
        var translator = PatternTranslator(pattern)
        return try translator.translate()
    }
}

/// The state of one translation.
private struct PatternTranslator {
    private let pattern: String
    private var rest: Substring.UnicodeScalarView
    /// The translation in parts, so that an atom can be put into a group afterwards.
    private var output: [String] = []
    /// Where in `output` each open group begins.
    private var openGroups: [Int] = []
    /// Where in `output` what a quantifier would repeat begins.
    private var atom: Int?

    init(_ pattern: String) {
        self.pattern = pattern
        rest = Substring(pattern).unicodeScalars
    }

    mutating func translate() throws(TokenizationError) -> String {
        while let character = rest.popFirst() {
            switch character {
            case "\\": append(atom: escape())
            case "[": append(atom: try characterClass())
            case "(": try openGroup()
            case ")":
                output.append(")")
                atom = openGroups.popLast()
            case "*", "+", "?": quantify(String(character))
            case "{": interval()
            case "|", "^", "$":
                output.append(String(character))
                atom = nil
            default: append(atom: String(character))
            }
        }
        return output.joined()
    }

    private mutating func append(atom text: String) {
        atom = output.count
        output.append(text)
    }

    /// A quantifier with the sign that makes it reluctant or possessive.
    private mutating func quantify(_ quantifier: String) {
        var quantifier = quantifier
        if let sign = rest.first, sign == "?" || sign == "+" {
            rest.removeFirst()
            quantifier.unicodeScalars.append(sign)
        }
        output.append(quantifier)
    }

    /// `{n}`, `{n,}`, `{,m}`, `{n,m}` with what follows; else a brace that stands for itself.
    private mutating func interval() {
        guard let atom, let end = rest.firstIndex(of: "}") else { return append(atom: "\\{") }
        let parts = rest[..<end].split(separator: ",", omittingEmptySubsequences: false)
        let isInterval =
            (1...2).contains(parts.count) && parts.contains { !$0.isEmpty }
            && parts.allSatisfy { $0.allSatisfy { ("0"..."9").contains($0) } }
        guard isInterval else { return append(atom: "\\{") }
        rest = rest[rest.index(after: end)...]
        let lower = parts[0].isEmpty ? "0" : String(parts[0])
        let quantifier = parts.count == 1 ? "{\(lower)}" : "{\(lower),\(String(parts[1]))}"
        switch rest.first {
        case "+":
            rest.removeFirst()
            wrap(atom, quantifier, then: "+")
        case "?" where parts.count == 1:
            rest.removeFirst()
            wrap(atom, quantifier, then: "?")
        case "?":
            rest.removeFirst()
            output.append(quantifier + "?")
        default: output.append(quantifier)
        }
    }

    private mutating func wrap(_ atom: Int, _ quantifier: String, then outer: String) {
        output.insert("(?:", at: atom)
        output.append(quantifier + ")" + outer)
    }

    private mutating func openGroup() throws(TokenizationError) {
        openGroups.append(output.count)
        atom = nil
        output.append("(")
        guard rest.first == "?", let second = rest.dropFirst().first,
            second == "-" || second.properties.isAlphabetic
        else { return }
        rest.removeFirst()
        output.append("?")
        while let option = rest.first, option == "-" || option.properties.isAlphabetic {
            guard ["-", "i", "x", "m"].contains(option) else {
                throw invalid("the option '\(option)' is not supported")
            }
            rest.removeFirst()
            output.append(option == "m" ? "s" : String(option))
        }
    }

    private func invalid(_ reason: String) -> TokenizationError {
        let offset = pattern.utf8.count - String(rest).utf8.count
        return .invalidRegularExpression(pattern: pattern, offset: offset, reason: reason)
    }
}

extension PatternTranslator {
    /// What follows a backslash outside of a class.
    private mutating func escape() -> String {
        if let category = UnicodeAdditions.take(from: &rest) {
            return category.isNegated ? "[^\(category.members)]" : "[\(category.members)]"
        }
        let word = CharacterClasses.word + CharacterClasses.wordOutsideClasses
        switch rest.first {
        case "w": return consumed("[\(word)]")
        case "W": return consumed("[^\(word)]")
        case "b":
            return consumed("(?:(?<=[\(word)])(?![\(word)])|(?<![\(word)])(?=[\(word)]))")
        case "B":
            return consumed("(?:(?<=[\(word)])(?=[\(word)])|(?<![\(word)])(?![\(word)]))")
        case "O": return consumed(#"[\x{0}-\x{10ffff}]"#)
        case "H": return consumed("[^\(CharacterClasses.hexadecimal)]")
        case "S": return consumed("[^\(CharacterClasses.space)]")
        default:
            if let members = CharacterClasses.members(of: rest.first) {
                return consumed("[\(members)]")
            }
            return plainEscape()
        }
    }

    private mutating func consumed(_ text: String) -> String {
        rest.removeFirst()
        return text
    }

    /// An escape that means the same inside and outside of classes.
    private mutating func plainEscape() -> String {
        guard let character = rest.popFirst() else { return "\\" }
        if character == "v" { return #"\x{b}"# }
        let digits = rest.prefix(4)
        if character == "u", digits.count == 4, UInt32(String(digits), radix: 16) != nil {
            rest.removeFirst(4)
            return "\\x{\(String(digits))}"
        }
        // A name in braces is no interval.
        if rest.first == "{", ["p", "P", "x", "o", "k", "g"].contains(character),
            let end = rest.firstIndex(of: "}")
        {
            let name = String(rest[...end])
            rest = rest[rest.index(after: end)...]
            return "\\\(character)\(name)"
        }
        return "\\\(character)"
    }

    /// What follows `[`. Classes of all other characters can't be written inside a class of PCRE2:
    /// they become alternatives, or conditions where the class is negated.
    private mutating func characterClass() throws(TokenizationError) -> String {
        var members = ""
        var complements: [String] = []
        let isNegated = rest.first == "^"
        if isNegated { rest.removeFirst() }
        if rest.first == "]" {
            rest.removeFirst()
            members = "\\]"
        }
        while let character = rest.popFirst(), character != "]" {
            try refuseSetOperation(character)
            guard character == "\\" else {
                members.unicodeScalars.append(character)
                continue
            }
            if let category = UnicodeAdditions.take(from: &rest) {
                if category.isNegated {
                    complements.append(category.members)
                } else {
                    members += category.members
                }
            } else if rest.first == "W" {
                rest.removeFirst()
                complements.append(CharacterClasses.word)
            } else if let known = CharacterClasses.members(of: rest.first) {
                members += consumed(known)
            } else {
                members += plainEscape()
            }
        }
        guard !complements.isEmpty else { return "[\(isNegated ? "^" : "")\(members)]" }
        if isNegated {
            let conditions = complements.map { "(?=[\($0)])" }.joined()
            return "(?:\(conditions)[\(members.isEmpty ? #"\x{0}-\x{10ffff}"# : "^" + members)])"
        }
        let others = complements.map { "[^\($0)]" }
        return "(?:\(((members.isEmpty ? [] : ["[\(members)]"]) + others).joined(separator: "|")))"
    }

    private func refuseSetOperation(_ character: Unicode.Scalar) throws(TokenizationError) {
        let isIntersection = character == "&" && rest.first == "&"
        guard isIntersection || character == "[" else { return }
        let offset = pattern.utf8.count - String(rest).utf8.count - 1
        throw .invalidRegularExpression(
            pattern: pattern, offset: offset, reason: "classes inside classes are not supported")
    }
}
