// What parentheses hold.
extension PythonParser {
    /// What follows an opening parenthesis.
    mutating func group(_ flags: PythonFlags) throws(ExpressionError) -> Item? {
        let start = index - 1
        guard take("?") else { return try capture(named: nil, start: start, flags) }
        guard let kind = pop() else { throw invalid("unexpected end of pattern") }
        switch kind {
        case ":": return try closed(start, flags) { "(?:\($0))" }
        case ">": return try closed(start, flags) { "(?>\($0))" }
        case "#":
            while let next = pop() { if next == ")" { return nil } }
            throw invalid("missing ), unterminated comment", at: start)
        case "=": return try ahead("(?=", start, flags)
        case "!": return try ahead("(?!", start, flags)
        case "<": return try lookBehind(start, flags)
        case "P": return try named(start, flags)
        case "(": return try condition(start, flags)
        default:
            index -= 1
            return try flagged(start, flags)
        }
    }

    private mutating func closed(
        _ start: Int, _ flags: PythonFlags, _ wrap: (String) -> String
    ) throws(ExpressionError) -> Item {
        let inner = try alternatives(flags)
        guard take(")") else { throw invalid("missing ), unterminated subpattern", at: start) }
        return Item(text: wrap(inner.text), width: inner.width)
    }

    private mutating func capture(
        named name: String?, start: Int, _ flags: PythonFlags
    ) throws(ExpressionError) -> Item {
        let number = groups.count
        guard number <= ExpressionLimits.captureCount else {
            throw invalid("more than \(ExpressionLimits.captureCount) groups", at: start)
        }
        groups.append(nil)
        if let name { groupNames[name] = number }
        let item = try closed(start, flags) { "(\($0))" }
        groups[number] = item.width
        return item
    }

    private mutating func ahead(
        _ opening: String, _ start: Int, _ flags: PythonFlags
    ) throws(ExpressionError) -> Item {
        var item = try closed(start, flags) { "\(opening)\($0))" }
        item.width = .none
        return item
    }

    private mutating func lookBehind(
        _ start: Int, _ flags: PythonFlags
    ) throws(ExpressionError) -> Item {
        guard let kind = pop() else { throw invalid("unexpected end of pattern") }
        guard kind == "=" || kind == "!" else {
            throw invalid("unknown extension ?<\(kind)", at: start + 1)
        }
        let outer = lookBehindStart
        lookBehindStart = outer ?? groups.count
        var item = try closed(start, flags) { "(?<\(kind)\($0))" }
        lookBehindStart = outer
        guard item.width.least == item.width.most else {
            throw invalid("look-behind requires fixed-width pattern", at: start)
        }
        item.width = .none
        return item
    }

    private mutating func named(
        _ start: Int, _ flags: PythonFlags
    ) throws(ExpressionError) -> Item {
        if take("<") {
            let name = try name(upTo: ">")
            guard Self.isIdentifier(name) else {
                throw invalid("bad character in group name '\(name)'", at: start + 4)
            }
            guard groupNames[name] == nil else {
                throw invalid("redefinition of group name '\(name)'", at: start + 4)
            }
            return try capture(named: name, start: start, flags)
        }
        if take("=") {
            let name = try name(upTo: ")")
            guard let number = groupNames[name] else {
                throw invalid("unknown group name '\(name)'", at: start + 4)
            }
            return try reference(to: number, start: start)
        }
        guard let next = pop() else { throw invalid("unexpected end of pattern") }
        throw invalid("unknown extension ?P\(next)", at: start + 1)
    }

    /// `(?(group)yes|no)`
    private mutating func condition(
        _ start: Int, _ flags: PythonFlags
    ) throws(ExpressionError) -> Item {
        let name = try name(upTo: ")")
        let number: Int
        if Self.isIdentifier(name) {
            guard let known = groupNames[name] else {
                throw invalid("unknown group name '\(name)'", at: start + 3)
            }
            number = known
        } else {
            guard let value = Int(name), value > 0, name.utf8.allSatisfy({ (48...57).contains($0) })
            else { throw invalid("bad character in group name '\(name)'", at: start + 3) }
            number = value
        }
        // It may come later.
        if number > condition?.group ?? 0 { condition = (number, start + 3) }
        try checkLookBehind(number, start: start)
        depth += 1
        defer { depth -= 1 }
        let yes = try sequence(flags)
        var no = Item(text: "", width: .none)
        if take("|") {
            no = try sequence(flags)
            guard peek() != "|" else {
                throw invalid("conditional backref with more than two branches")
            }
        }
        guard take(")") else { throw invalid("missing ), unterminated subpattern", at: start) }
        return Item(
            text: "(?(\(number))\(yes.text)|\(no.text))", width: yes.width.or(no.width))
    }

    private static func isIdentifier(_ name: String) -> Bool {
        guard let first = name.unicodeScalars.first else { return false }
        let properties = first.properties
        guard first == "_" || properties.isXIDStart else { return false }
        return name.unicodeScalars.allSatisfy(\.properties.isXIDContinue)
    }

    private mutating func name(upTo end: Unicode.Scalar) throws(ExpressionError) -> String {
        let start = index
        var name = String.UnicodeScalarView()
        while let next = pop() {
            if next == end {
                guard !name.isEmpty else { throw invalid("missing group name", at: start) }
                return String(name)
            }
            name.append(next)
        }
        throw invalid("missing \(end), unterminated name", at: start)
    }
}
