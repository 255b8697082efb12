/// Rewrites Oniguruma's character classes for PCRE2.
///
/// `\s` is Unicode's White_Space and `\w` is letters, marks, decimal digits and connectors; PCRE2's own classes
/// differ in a few characters (U+180E, combining marks). `\h` is a hexadecimal digit.
enum PatternTranslation {
    /// Members and non-members of a class, as they are written between brackets.
    private static let classes: [Unicode.Scalar: String] = [
        "s":
            #"\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"#,
        "S": #"\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}"#
            + #"\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"#,
        "w": #"\p{L}\p{M}\p{Nd}\p{Pc}"#,
        "h": "0-9a-fA-F",
    ]

    /// Members of classes of which a backslash and a capital letter means all other characters.
    private static let negatedClasses: [Unicode.Scalar: String] = [
        "W": #"\p{L}\p{M}\p{Nd}\p{Pc}"#,
        "H": "0-9a-fA-F",
    ]

    /// `pattern` in PCRE2's spelling.
    /// - Throws: `invalidRegularExpression` for set operations, which PCRE2 would take for plain characters.
    static func translate(_ pattern: String) throws(TokenizationError) -> String {
        var output = String.UnicodeScalarView()
        var isInClass = false
        var rest = Substring(pattern).unicodeScalars
        while let character = rest.popFirst() {
            if character == "\\", let members = UnicodeAdditions.take(from: &rest) {
                output += (isInClass ? members : "[\(members)]").unicodeScalars
            } else if character == "\\" {
                output += escape(rest.popFirst(), isInClass: isInClass).unicodeScalars
            } else if isInClass {
                isInClass = character != "]"
                try refuseSetOperation(character, before: rest, of: pattern)
                output.append(character)
            } else {
                output.append(character)
                if character == "[" {
                    isInClass = true
                    copyClassHead(from: &rest, to: &output)
                }
            }
        }
        return String(output)
    }

    /// Copies `^` and a first `]`, which stands for itself.
    private static func copyClassHead(
        from rest: inout Substring.UnicodeScalarView, to output: inout String.UnicodeScalarView
    ) {
        if rest.first == "^" { output.append(rest.removeFirst()) }
        if rest.first == "]" {
            rest.removeFirst()
            output += "\\]".unicodeScalars
        }
    }

    private static func escape(_ character: Unicode.Scalar?, isInClass: Bool) -> String {
        guard let character else { return "\\" }
        if let members = classes[character] {
            return isInClass ? members : "[\(members)]"
        }
        if !isInClass, let members = negatedClasses[character] { return "[^\(members)]" }
        return "\\\(character)"
    }

    private static func refuseSetOperation(
        _ character: Unicode.Scalar, before rest: Substring.UnicodeScalarView, of pattern: String
    ) throws(TokenizationError) {
        let isIntersection = character == "&" && rest.first == "&"
        guard isIntersection || character == "[" else { return }
        let offset = pattern.utf8.count - String(rest).utf8.count - 1
        throw .invalidRegularExpression(
            pattern: pattern, offset: offset, reason: "classes inside classes are not supported")
    }
}
