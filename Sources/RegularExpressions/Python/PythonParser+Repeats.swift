// How often an item is repeated.
extension PythonParser {
    /// Python's own bound of a repetition is 2³²; PCRE2's is this.
    private static let countLimit = 65535

    /// The item with what follows it: `*`, `+`, `?`, `{n,m}`, and `?` or `+` behind.
    ///
    /// - Parameter start: where the item stands.
    mutating func repeated(
        _ item: Item, start: Int, _ flags: PythonFlags
    ) throws(ExpressionError) -> Item {
        var item = item
        while true {
            if flags.isVerbose { skipVerbose() }
            let place = index
            guard let counts = try counts() else { return item }
            switch item.kind {
            case .place: throw invalid("nothing to repeat", at: place)
            case .repeated: throw invalid("multiple repeat", at: place)
            case .plain, .character: break
            }
            guard counts.most.map({ counts.least <= $0 }) ?? true else {
                throw invalid("min repeat greater than max repeat", at: place)
            }
            guard max(counts.least, counts.most ?? 0) <= Self.countLimit else {
                throw invalid("a repeat of more than \(Self.countLimit)", at: place)
            }
            let mode = take("?") ? "?" : take("+") ? "+" : ""
            let most = counts.most.map { "\($0)" } ?? ""
            let one = item.kind == .character ? item.text : "(?:\(Self.mark)\(item.text))"
            item = Item(
                text: "\(one){\(counts.least),\(most)}\(mode)\(Self.mark)",
                width: item.width.repeated(
                    counts.least, counts.most ?? ExpressionWidth.unbounded), kind: .repeated)
        }
    }

    private mutating func skipVerbose() {
        while let next = peek() {
            if " \t\n\r\u{B}\u{C}".unicodeScalars.contains(next) {
                index += 1
            } else if next == "#" {
                while let next = pop(), next != "\n" {}
            } else {
                return
            }
        }
    }

    private mutating func counts() throws(ExpressionError) -> (least: Int, most: Int?)? {
        switch peek() {
        case "*":
            index += 1
            return (0, nil)
        case "+":
            index += 1
            return (1, nil)
        case "?":
            index += 1
            return (0, 1)
        case "{":
            guard let bounds = try bounds(after: index + 1) else { return nil }
            index = bounds.end
            return (bounds.least, bounds.most)
        default: return nil
        }
    }

    /// `n}`, `n,}`, `,m}` or `n,m}`; nil where a brace is one that stands for itself.
    func bounds(
        after start: Int
    ) throws(ExpressionError) -> (least: Int, most: Int?, end: Int)? {
        var place = start
        func digits() throws(ExpressionError) -> Int? {
            var value: Int?
            while place < scalars.count, ("0"..."9").contains(scalars[place]) {
                value = min((value ?? 0) * 10 + Int(scalars[place].value) - 48, 1 << 40)
                place += 1
            }
            return value
        }
        guard start < scalars.count, scalars[start] != "}" else { return nil }
        let least = try digits()
        var most = least
        if place < scalars.count, scalars[place] == "," {
            place += 1
            most = try digits()
        } else if least == nil {
            return nil
        }
        guard place < scalars.count, scalars[place] == "}" else { return nil }
        return (least ?? 0, most, place + 1)
    }
}
