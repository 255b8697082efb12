// Letters that change how a pattern is read.
extension PythonParser {
    /// `(?i)` and the like, of the whole pattern.
    ///
    /// - Returns: nil where something else follows.
    mutating func globalFlags(_ flags: inout PythonFlags) throws(ExpressionError) -> Bool? {
        let start = index
        if flags.isVerbose {
            // White space and comments may stand between.
            while let next = peek(), " \t\n\r\u{B}\u{C}".unicodeScalars.contains(next) {
                index += 1
            }
        }
        guard peek() == "(", peek(1) == "?", let letter = peek(2),
            "aiLmsux".unicodeScalars.contains(letter)
        else {
            index = start
            return nil
        }
        index += 2
        var changed = flags
        var letters: Set<Unicode.Scalar> = []
        while let next = pop() {
            if next == ")" {
                flags = changed
                return true
            }
            guard "aiLmsux".unicodeScalars.contains(next) else { break }
            letters.insert(next)
            try set(next, to: true, &changed, letters)
        }
        // Those of a group, which is read as any other.
        index = start
        return nil
    }

    /// `(?i-s:…)`, of a group alone.
    mutating func flagged(_ start: Int, _ flags: PythonFlags) throws(ExpressionError) -> Item {
        var changed = flags
        var on: Set<Unicode.Scalar> = []
        var off: Set<Unicode.Scalar> = []
        var turnsOff = false
        while let next = pop() {
            switch next {
            case ":":
                guard !turnsOff || !off.isEmpty else { throw invalid("missing flag") }
                guard on.isDisjoint(with: off) else {
                    throw invalid("bad inline flags: flag turned on and off")
                }
                let letter =
                    changed.ignoresCase == flags.ignoresCase
                    ? "" : changed.ignoresCase ? "i" : "-i"
                return try closed(start, changed, letter)
            case ")":
                guard !turnsOff, !on.isEmpty else { throw invalid("missing -, : or )") }
                throw invalid("global flags not at the start of the expression", at: start)
            case "-" where !turnsOff: turnsOff = true
            case _ where "aiLmsux".unicodeScalars.contains(next):
                if turnsOff {
                    guard "imsx".unicodeScalars.contains(next) else {
                        throw invalid(
                            "bad inline flags: cannot turn off flags 'a', 'u' and 'L'")
                    }
                    off.insert(next)
                } else {
                    on.insert(next)
                }
                try set(next, to: !turnsOff, &changed, on)
            default:
                if on.isEmpty, off.isEmpty, !turnsOff {
                    throw invalid("unknown extension ?\(next)", at: start + 1)
                }
                throw invalid("unknown flag")
            }
        }
        throw invalid("missing -, : or )")
    }

    private mutating func closed(
        _ start: Int, _ flags: PythonFlags, _ letter: String
    ) throws(ExpressionError) -> Item {
        let inner = try alternatives(flags)
        guard take(")") else { throw invalid("missing ), unterminated subpattern", at: start) }
        return Item(text: "(?\(letter):\(inner.text))", width: inner.width)
    }

    private func set(
        _ letter: Unicode.Scalar, to value: Bool, _ flags: inout PythonFlags,
        _ letters: Set<Unicode.Scalar>
    ) throws(ExpressionError) {
        switch letter {
        case "i": flags.ignoresCase = value
        case "m": flags.isMultiline = value
        case "s": flags.dotMatchesAll = value
        case "x": flags.isVerbose = value
        case "L":
            throw invalid("bad inline flags: cannot use 'L' flag with a str pattern")
        case "a", "u":
            guard !letters.isSuperset(of: ["a", "u"]) else {
                throw invalid("bad inline flags: flags 'a', 'u' and 'L' are incompatible")
            }
            flags.isASCII = letter == "a"
        default: break
        }
    }
}
