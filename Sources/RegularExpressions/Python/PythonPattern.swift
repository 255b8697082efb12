/// A regular expression of Python's `re`, said in PCRE2's terms.
///
/// What Python refuses is refused here, in its words; what both spell alike and mean otherwise
/// (`\Z`, `$`, `\s`, `{,n}`, `\h`, POSIX classes, verbs) is written out. Parsing goes as Python's
/// does, item by item, and says of each how many characters it takes: a look-behind needs to know.
///
/// **Source**: the documentation of Python 3.11's module `re`; Unicode's names (`\N{…}`) are
/// refused.
public struct PythonPattern {
    /// In PCRE2's spelling, with a mark `(?C)` wherever a match may begin to go another way.
    public let translated: String

    /// - Throws: `ExpressionError.invalid`, with the byte of `pattern` where it goes wrong.
    public init(_ pattern: String) throws(ExpressionError) {
        let byteCount = pattern.utf8.count
        guard byteCount <= ExpressionLimits.patternByteCount else {
            throw .tooLong(byteCount: byteCount, limit: ExpressionLimits.patternByteCount)
        }
        var parser = PythonParser(pattern)
        translated = try parser.parse()
    }
}

/// How many characters an expression takes: at least, and at most.
struct ExpressionWidth: Equatable {
    /// More than any text has.
    static let unbounded = 1 << 31

    var least: Int
    var most: Int

    static let none = ExpressionWidth(least: 0, most: 0)
    static let one = ExpressionWidth(least: 1, most: 1)

    static func + (left: ExpressionWidth, right: ExpressionWidth) -> ExpressionWidth {
        ExpressionWidth(
            least: min(left.least + right.least, unbounded),
            most: min(left.most + right.most, unbounded))
    }

    func or(_ other: ExpressionWidth) -> ExpressionWidth {
        ExpressionWidth(least: min(least, other.least), most: max(most, other.most))
    }

    func repeated(_ least: Int, _ most: Int) -> ExpressionWidth {
        func product(_ width: Int, _ count: Int) -> Int {
            let (product, overflows) = width.multipliedReportingOverflow(by: count)
            return overflows ? Self.unbounded : min(product, Self.unbounded)
        }
        return ExpressionWidth(
            least: product(self.least, least), most: product(self.most, most))
    }
}

/// What letters before a pattern or a group switch on.
struct PythonFlags {
    var ignoresCase = false
    var isMultiline = false
    var dotMatchesAll = false
    var isVerbose = false
    var isASCII = false
}
