internal import CPCRE2

/// A compiled regular expression of bounded cost.
///
/// PEFT's patterns are Python's; PCRE2 reads them the same way in all that names of modules need.
final class RegularExpression {
    /// What of the subject must match.
    enum Extent {
        /// From its first character, to wherever the pattern ends.
        case start
        /// From its first character to its last.
        case whole
    }

    static let patternByteCountLimit = 1 << 16
    /// Steps that one match may take: enough for any honest pattern, some milliseconds.
    private static let matchLimit: UInt32 = 200_000

    private let code: OpaquePointer
    private let matchData: OpaquePointer
    private let context: OpaquePointer
    private let pattern: String
    private let setting: String
    private let file: String

    /// - Parameters:
    ///   - setting: whose pattern it is, for messages.
    ///   - shown: the pattern as the user wrote it, where `pattern` adds to it.
    /// - Throws: `AdapterError.invalidPattern`.
    init(
        _ pattern: String, extent: Extent, setting: String, shown: String? = nil, file: String
    ) throws(AdapterError) {
        self.pattern = shown ?? pattern
        self.setting = setting
        self.file = file
        guard pattern.utf8.count <= Self.patternByteCountLimit else {
            throw .invalidPattern(
                setting: setting, pattern: String(pattern.prefix(40)) + "…",
                reason: "it is longer than \(Self.patternByteCountLimit) bytes", file: file)
        }
        var options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED
        if extent == .whole { options |= PCRE2_ENDANCHORED }
        var errorCode: Int32 = 0
        var errorOffset = 0
        let bytes = Array(pattern.utf8)
        guard
            let code = pcre2_compile_8(
                bytes, bytes.count, options, &errorCode, &errorOffset, nil),
            let matchData = pcre2_match_data_create_from_pattern_8(code, nil),
            let context = pcre2_match_context_create_8(nil)
        else {
            throw .invalidPattern(
                setting: setting, pattern: self.pattern,
                reason: "it can't be compiled: \(Self.message(errorCode))", file: file)
        }
        pcre2_set_match_limit_8(context, Self.matchLimit)
        self.code = code
        self.matchData = matchData
        self.context = context
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_match_data_free_8(matchData)
        pcre2_code_free_8(code)
    }

    /// - Throws: `AdapterError.invalidPattern` where the match takes too many steps.
    func matches(_ subject: String) throws(AdapterError) -> Bool {
        try run(subject) > 0
    }

    /// The text of the first match's last group; nil where nothing matches.
    ///
    /// - Throws: as `matches(_:)`.
    func lastGroup(_ subject: String) throws(AdapterError) -> String? {
        let count = try run(subject)
        guard count > 1 else { return nil }
        let offsets = pcre2_get_ovector_pointer_8(matchData)!
        let (start, end) = (offsets[2 * (count - 1)], offsets[2 * (count - 1) + 1])
        return String(decoding: Array(subject.utf8)[start..<end], as: UTF8.self)
    }

    private func run(_ subject: String) throws(AdapterError) -> Int {
        let bytes = Array(subject.utf8)
        let result = pcre2_match_8(code, bytes, bytes.count, 0, 0, matchData, context)
        if result == PCRE2_ERROR_NOMATCH { return 0 }
        guard result > 0 else {
            throw .invalidPattern(
                setting: setting, pattern: pattern,
                reason: "matching it against '\(subject)' failed: \(Self.message(result))",
                file: file)
        }
        return Int(result)
    }

    private static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return length > 0 ? String(decoding: buffer[..<Int(length)], as: UTF8.self) : "code \(code)"
    }
}
