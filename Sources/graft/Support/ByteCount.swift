import Foundation

/// A number of bytes as people write it: `512M`, `2G`, `1000000`.
struct ByteCount {
    let value: Int

    /// Nil when the text is no such number, or too large.
    init?(_ text: String) {
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        var digits = text.uppercased()
        if digits.hasSuffix("B") { digits.removeLast() }
        var unit = 1
        if let last = digits.last, let factor = units[last] {
            unit = factor
            digits.removeLast()
        }
        guard let number = Int(digits), number > 0 else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow else { return nil }
        value = product
    }
}

/// One line on standard error, whatever is in it.
func writeToStandardError(_ line: String) {
    FileHandle.standardError.write(Data((PlainText.escaped(line) + "\n").utf8))
}
