internal import RegularExpressions

/// A regular expression of a configuration, read as Python reads it, for names of modules.
final class ModuleExpression {
    /// Steps that all expressions of one adapter may take together: enough for a pattern of its own
    /// for each of a thousand modules, a second or two.
    static let stepLimit = 1 << 29

    private let expression: CompiledExpression
    private let matcher: ExpressionMatcher
    private let budget: StepBudget
    private let pattern: String
    private let setting: String
    private let file: String

    /// - Parameters:
    ///   - budget: the adapter's.
    ///   - setting: whose pattern it is, for messages.
    ///   - shown: the pattern as the user wrote it, where `pattern` adds to it.
    /// - Throws: `AdapterError.invalidPattern`.
    init(
        _ pattern: String, extent: CompiledExpression.Extent, budget: StepBudget, setting: String,
        shown: String? = nil, file: String
    ) throws(AdapterError) {
        let shown = shown ?? pattern
        self.pattern = shown.utf8.count <= 200 ? shown : String(shown.prefix(40)) + "…"
        self.budget = budget
        self.setting = setting
        self.file = file
        do {
            expression = try CompiledExpression(
                PythonPattern(pattern).translated, extent: extent, limits: .names,
                counting: .marks)
        } catch {
            throw .invalidPattern(
                setting: setting, pattern: self.pattern, reason: "it can't be read: \(error)",
                file: file)
        }
        matcher = ExpressionMatcher(expression)
    }

    /// - Throws: `AdapterError.invalidPattern` where the adapter's steps are used up.
    func matches(_ subject: String) throws(AdapterError) -> Bool {
        try match(subject) { _ in true } ?? false
    }

    /// The text of the match's last group; nil where nothing matches.
    ///
    /// - Throws: as `matches(_:)`.
    func lastGroup(_ subject: String) throws(AdapterError) -> String? {
        try match(subject) { matcher in
            guard matcher.lastGroup > 0, let range = matcher.range(ofGroup: matcher.lastGroup)
            else { return nil }
            return String(decoding: Array(subject.utf8)[range], as: UTF8.self)
        } ?? nil
    }

    /// - Returns: nil where nothing matches.
    private func match<Result>(
        _ subject: String, _ result: (ExpressionMatcher) -> Result
    ) throws(AdapterError) -> Result? {
        let bytes = Array(subject.utf8)
        let found = bytes.withUnsafeBufferPointer { bytes in
            Swift.Result { () throws(ExpressionError) in
                try budget.withSteps { (steps) throws(ExpressionError) in
                    try matcher.match(bytes, from: 0, stepsLeft: &steps)
                }
            }
        }
        do { return try found.get() ? result(matcher) : nil } catch {
            throw .invalidPattern(
                setting: setting, pattern: pattern,
                reason: "matching it against '\(subject)' failed: \(error)", file: file)
        }
    }
}
