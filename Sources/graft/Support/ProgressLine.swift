import Foundation

/// One line on a terminal that says how far a long piece of work is; silent in a pipe.
final class ProgressLine {
    private let title: String
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var lastPercent = -1

    init(_ title: String) {
        self.title = title
    }

    /// - Parameter share: the part done, 0…1.
    func update(_ share: Double) {
        let percent = Int(share * 100)
        guard isTerminal, percent != lastPercent else { return }
        lastPercent = percent
        write("\r\(title) … \(percent) %")
    }

    /// Clears the line.
    func finish() {
        if isTerminal, lastPercent >= 0 { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
