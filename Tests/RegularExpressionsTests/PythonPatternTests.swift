import Foundation
import RegularExpressions
import StrictJSON
import Testing

/// What Python's `re` says of a pattern, from tools/goldens/python_expressions.py.
struct PythonRow: Sendable, CustomTestStringConvertible {
    enum Answer: Sendable, Equatable {
        /// Numbers of the texts that match.
        case matches([Int])
        case refused(String)
    }

    let pattern: String
    let whole: Answer
    let key: Answer

    var testDescription: String { pattern }

    static let file: JSONObject? = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        let path = folder.appending(path: "Goldens/python-expressions.json")
        guard let text = try? Data(contentsOf: path) else { return nil }
        return (try? JSONValue(parsing: [UInt8](text)))?.objectValue
    }()

    static let texts = file?["texts"]?.arrayValue?.compactMap(\.stringValue) ?? []

    static let all: [PythonRow] = (file?["rows"]?.arrayValue ?? []).compactMap { row in
        guard let row = row.objectValue, let pattern = row["pattern"]?.stringValue else {
            return nil
        }
        return PythonRow(pattern: pattern, whole: answer(row["whole"]), key: answer(row["key"]))
    }

    private static func answer(_ value: JSONValue?) -> Answer {
        if let reason = value?.stringValue { return .refused(reason) }
        return .matches(value?.arrayValue?.compactMap(\.intValue) ?? [])
    }
}

struct PythonPatternTests {
    /// What Python takes and Graft refuses by name.
    private static let refusedHere = [#"\N{DIGIT ONE}"#]

    private func answer(
        _ pattern: String, _ extent: CompiledExpression.Extent
    ) -> PythonRow.Answer {
        do {
            let expression = try CompiledExpression(
                PythonPattern(pattern).translated, extent: extent, limits: .names,
                counting: .marks)
            let matcher = ExpressionMatcher(expression)
            var numbers: [Int] = []
            for (number, text) in PythonRow.texts.enumerated() {
                let bytes = Array(text.utf8)
                var steps = 1 << 20
                let isMatch = try bytes.withUnsafeBufferPointer {
                    try matcher.match($0, from: 0, stepsLeft: &steps)
                }
                if isMatch { numbers.append(number) }
            }
            return .matches(numbers)
        } catch {
            return .refused("\(error)")
        }
    }

    @Test func theTableIsThere() {
        #expect(PythonRow.all.count > 1500)
        #expect(PythonRow.texts.count > 30)
    }

    @Test(arguments: PythonRow.all)
    func patternsMeanWhatPythonReads(row: PythonRow) {
        for (expected, found) in [
            (row.whole, answer(row.pattern, .whole)),
            (row.key, answer(#"(.*\.)?("# + row.pattern + ")$", .start)),
        ] {
            switch (expected, found) {
            case (.refused, .refused): break
            case (.matches, .refused) where Self.refusedHere.contains(row.pattern): break
            default: #expect(expected == found)
            }
        }
    }

    @Test(arguments: [
        (#"\z"#, #"at byte 0: bad escape \z"#), (#"\h+"#, #"at byte 0: bad escape \h"#),
        ("é(?|a|b)", "at byte 3: unknown extension ?|"),
        ("(*ACCEPT)", "at byte 1: nothing to repeat"),
        (#"\N{DIGIT ONE}"#, #"at byte 0: \N{…} isn't supported: write the character itself"#),
        ("a(?i)", "at byte 1: global flags not at the start of the expression"),
        ("(?<=a+)", "at byte 0: look-behind requires fixed-width pattern"),
        ("a{65536}", "at byte 1: a repeat of more than 65535"),
    ])
    func refusalsSayWhereAndWhy(pattern: String, reason: String) {
        #expect(answer(pattern, .whole) == .refused(reason))
    }

    @Test func nestingGroupsAndLengthAreBounded() {
        func nested(_ count: Int) -> String {
            String(repeating: "(?:", count: count) + String(repeating: ")", count: count)
        }
        #expect(answer(nested(249), .whole) == .matches([14]))
        #expect(answer(nested(250), .whole) != .matches([14]))
        guard case .refused(let reason) = answer(nested(10_000), .whole) else {
            Issue.record("it was read")
            return
        }
        #expect(reason.contains("more than 250 parentheses"))
        let groups = String(repeating: "()", count: 1001)
        #expect(answer(groups, .whole) == .refused("at byte 2000: more than 1000 groups"))
        let long = String(repeating: "a", count: ExpressionLimits.patternByteCount + 1)
        #expect(answer(long, .whole) == .refused("it has 65537 bytes, and the limit is 65536"))
    }
}
