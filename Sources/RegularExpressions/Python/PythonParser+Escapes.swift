// What follows a backslash.
extension PythonParser {
    /// Outside of classes.
    mutating func escape(_ flags: PythonFlags) throws(ExpressionError) -> Item {
        let start = index - 1
        guard let character = pop() else { throw invalid("bad escape (end of pattern)", at: start) }
        switch character {
        case "A": return Item(text: #"\A"#, width: .none, kind: .place)
        case "Z": return Item(text: #"\z"#, width: .none, kind: .place)
        case "b": return Item(text: boundary(flags), width: .none, kind: .place)
        case "B":
            // Python finds none in an empty text.
            let inside =
                flags.isASCII ? "(?!\(boundary(flags)))" : #"\B"#
            return Item(text: #"(?:(?!\A\z)\#(inside))"#, width: .none, kind: .place)
        case "d", "D", "s", "S", "w", "W":
            return Item(
                text: "[" + PythonClasses.members(of: character, isASCII: flags.isASCII) + "]",
                width: .one, kind: .character)
        case "0":
            var value: UInt32 = 0
            for _ in 0..<2 {
                guard let digit = octal(peek()) else { break }
                value = value * 8 + digit
                index += 1
            }
            return Item(
                text: Self.literal(Unicode.Scalar(UInt8(value))), width: .one, kind: .character)
        case "1"..."9": return try reference(character, start: start)
        default:
            return Item(
                text: Self.literal(try escaped(character, start: start)), width: .one,
                kind: .character)
        }
    }

    private func boundary(_ flags: PythonFlags) -> String {
        guard flags.isASCII else { return #"\b"# }
        let word = "[" + PythonClasses.members(of: "w", isASCII: true) + "]"
        return "(?:(?<=\(word))(?!\(word))|(?<!\(word))(?=\(word)))"
    }

    /// A character that is written as an escape, inside of classes or outside.
    mutating func escaped(
        _ character: Unicode.Scalar, start: Int
    ) throws(ExpressionError) -> Unicode.Scalar {
        switch character {
        case "a": return "\u{7}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "v": return "\u{B}"
        case "x": return try hexadecimal(2, start: start)
        case "u": return try hexadecimal(4, start: start)
        case "U": return try hexadecimal(8, start: start)
        case "N":
            throw invalid(
                #"\N{…} isn't supported: write the character itself"#, at: start)
        case "a"..."z", "A"..."Z": throw invalid("bad escape \\\(character)", at: start)
        default: return character
        }
    }

    private mutating func hexadecimal(
        _ count: Int, start: Int
    ) throws(ExpressionError) -> Unicode.Scalar {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard
                let digit = peek().flatMap({
                    Character($0).isASCII ? Character($0).hexDigitValue : nil
                })
            else { throw invalid("incomplete escape", at: start) }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw invalid("an escape of no character", at: start)
        }
        return scalar
    }

    /// The group that was matched before, or an octal number of three digits.
    private mutating func reference(
        _ first: Unicode.Scalar, start: Int
    ) throws(ExpressionError) -> Item {
        var number = Int(first.value) - 48
        if let next = peek(), ("0"..."9").contains(next) {
            if let a = octal(first), let b = octal(next), let c = octal(peek(1)) {
                index += 2
                let value = a * 64 + b * 8 + c
                guard value <= 0o377 else {
                    throw invalid("octal escape value outside of range 0-0o377", at: start)
                }
                return Item(
                    text: Self.literal(Unicode.Scalar(UInt8(value))), width: .one, kind: .character)
            }
            index += 1
            number = number * 10 + Int(next.value) - 48
        }
        return try reference(to: number, start: start)
    }

    func reference(to number: Int, start: Int) throws(ExpressionError) -> Item {
        guard number < groups.count else {
            throw invalid("invalid group reference \(number)", at: start)
        }
        guard let width = groups[number] else {
            throw invalid("cannot refer to an open group", at: start)
        }
        try checkLookBehind(number, start: start)
        return Item(text: "\\g{\(number)}" + Self.mark, width: width)
    }

    func checkLookBehind(_ number: Int, start: Int) throws(ExpressionError) {
        guard let lookBehindStart, number >= lookBehindStart else { return }
        throw invalid(
            "cannot refer to group defined in the same lookbehind subpattern", at: start)
    }

    func octal(_ character: Unicode.Scalar?) -> UInt32? {
        guard let character, ("0"..."7").contains(character) else { return nil }
        return character.value - 48
    }
}
