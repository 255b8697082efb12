import CPCRE2

/// A compiled regular expression over UTF-8, with Oniguruma's meaning of character classes.
///
/// Matching is bounded: a pattern that backtracks without end is reported, never waited for.
/// **Source:** pcre2api(3) and pcre2jit(3) of PCRE2 10.42.
final class RegularExpression: Sendable {
    /// The steps that one match may take; vocabularies' own patterns need a few per character.
    private static let matchLimit: UInt32 = 5_000_000
    /// KiB of backtracking memory for one match.
    private static let heapLimit: UInt32 = 512 * 1024
    /// Bytes of backtracking stack for compiled code, once the machine stack's 32 KiB don't suffice.
    private static let stackLimit = 512 * 1024 * 1024

    /// The pattern as its author wrote it.
    let pattern: String
    // Immutable after `init`; PCRE2 allows concurrent matches with one compiled pattern.
    nonisolated(unsafe) private let code: OpaquePointer

    /// Compiles `pattern`.
    /// - Throws: `invalidRegularExpression`.
    init(_ pattern: String) throws(TokenizationError) {
        self.pattern = pattern
        let translated = Array(try PatternTranslation.translate(pattern).utf8)
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
        var code: Int32 = 0
        var offset = 0
        let options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C
        let compiled = pcre2_compile_8(
            translated, translated.count, options, &code, &offset, context)
        guard let compiled else {
            throw .invalidRegularExpression(
                pattern: pattern, offset: offset, reason: Self.message(for: code))
        }
        pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE)
        self.code = compiled
    }

    deinit { pcre2_code_free_8(code) }

    /// Every match in `text` from left to right, as byte ranges; a match may be empty.
    /// - Throws: `regularExpressionLimit`.
    func matches(in text: UnsafeBufferPointer<UInt8>) throws(TokenizationError) -> [Range<Int>] {
        guard let base = text.baseAddress else { return [] }
        let matching = MatchState(code: code, limits: (Self.matchLimit, Self.heapLimit))
        var ranges: [Range<Int>] = []
        var start = 0
        while start <= text.count {
            let result = matching.match(base, count: text.count, start: start, Self.stackLimit)
            guard result != PCRE2_ERROR_NOMATCH else { break }
            guard result > 0, let range = matching.range(ofGroup: 0) else {
                throw .regularExpressionLimit(pattern: pattern)
            }
            ranges.append(range)
            start =
                range.isEmpty
                ? Self.nextCharacter(in: text, after: range.upperBound) : range.upperBound
        }
        return ranges
    }

    /// What the first group of the first match holds.
    /// - Throws: `regularExpressionLimit`.
    func firstCapture(
        in text: UnsafeBufferPointer<UInt8>
    ) throws(TokenizationError) -> Range<Int>? {
        guard let base = text.baseAddress else { return nil }
        let matching = MatchState(code: code, limits: (Self.matchLimit, Self.heapLimit))
        let result = matching.match(base, count: text.count, start: 0, Self.stackLimit)
        guard result != PCRE2_ERROR_NOMATCH else { return nil }
        guard result > 0 else { throw .regularExpressionLimit(pattern: pattern) }
        return result > 1 ? matching.range(ofGroup: 1) : nil
    }

    private static func nextCharacter(in text: UnsafeBufferPointer<UInt8>, after index: Int) -> Int
    {
        var next = index + 1
        while next < text.count && text[next] & 0xC0 == 0x80 { next += 1 }
        return next
    }

    private static func message(for code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, Int(count))), as: UTF8.self)
    }
}

/// The memory of one series of matches.
private final class MatchState {
    private let code: OpaquePointer
    private let data: OpaquePointer?
    private let context: OpaquePointer?
    private var stack: OpaquePointer?

    init(code: OpaquePointer, limits: (match: UInt32, heap: UInt32)) {
        self.code = code
        data = pcre2_match_data_create_8(2, nil)
        context = pcre2_match_context_create_8(nil)
        pcre2_set_match_limit_8(context, limits.match)
        pcre2_set_heap_limit_8(context, limits.heap)
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_match_data_free_8(data)
        pcre2_jit_stack_free_8(stack)
    }

    /// PCRE2's result for the first match at or after `start`; a run that is too long for the machine stack
    /// is matched again on a stack of its own.
    func match(_ text: UnsafePointer<UInt8>, count: Int, start: Int, _ stackLimit: Int) -> Int32 {
        let result = pcre2_match_8(code, text, count, start, PCRE2_NO_UTF_CHECK, data, context)
        guard result == PCRE2_ERROR_JIT_STACKLIMIT, stack == nil else { return result }
        stack = pcre2_jit_stack_create_8(64 * 1024, stackLimit, nil)
        pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
        return pcre2_match_8(code, text, count, start, PCRE2_NO_UTF_CHECK, data, context)
    }

    /// The byte range of a group of the latest match, 0 being all of it; nil when `\K` turned it around.
    func range(ofGroup group: Int) -> Range<Int>? {
        guard let offsets = pcre2_get_ovector_pointer_8(data) else { return nil }
        let (start, end) = (offsets[2 * group], offsets[2 * group + 1])
        return start <= end ? start..<end : nil
    }
}
