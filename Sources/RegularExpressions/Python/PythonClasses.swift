/// Members of Python's classes of characters, as PCRE2 has them between brackets.
enum PythonClasses {
    private static let asciiSpaces = #"\x{9}-\x{d}\x{20}"#
    private static let noASCIISpaces = #"\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{10ffff}"#
    /// **Source**: `str.isspace` of Python: white space, and separators of bidirectional text.
    private static let spaces =
        #"\x{9}-\x{d}\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"#
    private static let noSpaces =
        #"\x{0}-\x{8}\x{e}-\x{1b}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}"#
        + #"\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"#

    static func members(of letter: Unicode.Scalar, isASCII: Bool) -> String {
        switch (letter, isASCII) {
        case ("d", true): "0-9"
        case ("D", true): #"\x{0}-\x{2f}\x{3a}-\x{10ffff}"#
        case ("d", false): #"\p{Nd}"#
        case ("D", false): #"\P{Nd}"#
        case ("s", true): asciiSpaces
        case ("S", true): noASCIISpaces
        case ("s", false): spaces
        case ("S", false): noSpaces
        case ("w", true): "0-9A-Z_a-z"
        case ("W", true): #"\x{0}-\x{2f}\x{3a}-\x{40}\x{5b}-\x{5e}\x{60}\x{7b}-\x{10ffff}"#
        case ("W", false): #"\W"#
        default: #"\w"#
        }
    }
}

extension PythonParser {
    /// What follows an opening bracket.
    mutating func characterClass(_ flags: PythonFlags) throws(ExpressionError) -> String {
        let start = index - 1
        let isNegated = take("^")
        var members = ""
        var isFirst = true
        while true {
            let place = index
            guard let next = pop() else {
                throw invalid("unterminated character set", at: start)
            }
            if next == "]", !isFirst { break }
            isFirst = false
            let low = try member(next, start: place, flags)
            guard peek() == "-", peek(1) != nil, peek(1) != "]" else {
                members += low.text
                continue
            }
            index += 1
            let second = index
            guard let next = pop() else {
                throw invalid("unterminated character set", at: start)
            }
            let high = try member(next, start: second, flags)
            guard let from = low.character, let to = high.character, from.value <= to.value else {
                throw invalid("bad character range", at: place)
            }
            members += low.text + "-" + high.text
        }
        return (isNegated ? "[^" : "[") + members + "]"
    }

    /// One character, or a class by its letter.
    private mutating func member(
        _ first: Unicode.Scalar, start: Int, _ flags: PythonFlags
    ) throws(ExpressionError) -> (text: String, character: Unicode.Scalar?) {
        guard first == "\\" else { return (Self.literal(first), first) }
        guard let letter = pop() else { throw invalid("bad escape (end of pattern)", at: start) }
        switch letter {
        case "d", "D", "s", "S", "w", "W":
            return (PythonClasses.members(of: letter, isASCII: flags.isASCII), nil)
        case "b": return (Self.literal("\u{8}"), "\u{8}")
        case "0"..."7":
            var value = letter.value - 48
            for _ in 0..<2 {
                guard let digit = octal(peek()) else { break }
                value = value * 8 + digit
                index += 1
            }
            guard value <= 0o377 else {
                throw invalid("octal escape value outside of range 0-0o377", at: start)
            }
            let character = Unicode.Scalar(UInt8(value))
            return (Self.literal(character), character)
        case "8", "9": throw invalid("bad escape \\\(letter)", at: start)
        default:
            let character = try escaped(letter, start: start)
            return (Self.literal(character), character)
        }
    }
}
