import Foundation

/// Texts in columns of equal width.
struct SideBySide {
    let columns: [(title: String, text: String)]
    /// Characters of a line.
    let width: Int

    private static let gap = 3
    private static let narrowest = 18

    var lines: [String] {
        let count = max(1, columns.count)
        let columnWidth = max(Self.narrowest, (width - Self.gap * (count - 1)) / count)
        let cells = columns.map { column in
            [column.title, String(repeating: "─", count: columnWidth)]
                + wrap(column.text, columnWidth)
        }
        let height = cells.map(\.count).max() ?? 0
        return (0..<height).map { row in
            let parts = cells.map { cell in
                let text = row < cell.count ? cell[row] : ""
                return text + String(repeating: " ", count: max(0, columnWidth - text.count))
            }
            let line = parts.joined(separator: String(repeating: " ", count: Self.gap))
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// Breaks at spaces; a word longer than a line is cut.
    private func wrap(_ text: String, _ width: Int) -> [String] {
        var lines: [String] = []
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = ""
            for word in paragraph.split(separator: " ") {
                var word = String(word)
                if !line.isEmpty, line.count + 1 + word.count > width {
                    lines.append(line)
                    line = ""
                }
                while word.count > width {
                    lines.append(String(word.prefix(width)))
                    word.removeFirst(width)
                }
                line += (line.isEmpty ? "" : " ") + word
            }
            lines.append(line)
        }
        return lines
    }

    /// The terminal's width; 100 where there is none.
    static var terminalWidth: Int {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else {
            return 100
        }
        return Int(size.ws_col)
    }
}
