internal import CPCRE2

/// A compiled regular expression over UTF-8 whose matching is bounded: by steps that are counted
/// while it runs, and by memory.
///
/// **Source**: pcre2api(3), pcre2callout(3) and pcre2jit(3) of PCRE2 10.42.
public final class CompiledExpression: Sendable {
    /// What of the subject must match.
    public enum Extent: Sendable {
        /// Any part of it.
        case anywhere
        /// From its first character, to wherever the pattern ends.
        case start
        /// From its first character to its last.
        case whole
    }

    /// Where the steps of a match are counted.
    public enum Counting: Sendable {
        /// Nowhere: the pattern is known to need a few steps a character.
        case none
        /// Before each item of the pattern.
        case items
        /// Where the pattern itself says `(?C)`.
        case marks
    }

    // Immutable after `init`; PCRE2 allows concurrent matches with one compiled pattern.
    nonisolated(unsafe) let code: OpaquePointer
    let limits: ExpressionLimits
    /// What one step counts; 0: steps aren't counted.
    let stepWeight: Int

    /// - Parameters:
    ///   - pattern: in PCRE2's spelling; `\w`, `\d`, `\s` are Unicode's, `^` and `$` match at lines
    ///     only within `(?m:…)`.
    /// - Throws: `ExpressionError.invalid`, `.tooLong`.
    public init(
        _ pattern: String, extent: Extent, limits: ExpressionLimits, counting: Counting
    ) throws(ExpressionError) {
        let bytes = Array(pattern.utf8)
        guard bytes.count <= ExpressionLimits.translatedByteCount else {
            throw .tooLong(byteCount: bytes.count, limit: ExpressionLimits.translatedByteCount)
        }
        var options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C
        switch extent {
        case .anywhere: break
        case .start: options |= PCRE2_ANCHORED
        case .whole: options |= PCRE2_ANCHORED | PCRE2_ENDANCHORED
        }
        // At a callout PCRE2 asks whether to go on: that is where steps are counted.
        if counting == .items { options |= PCRE2_AUTO_CALLOUT }
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
        pcre2_set_parens_nest_limit_8(context, UInt32(ExpressionLimits.depth))
        var code: Int32 = 0
        var offset = 0
        guard
            let compiled = pcre2_compile_8(bytes, bytes.count, options, &code, &offset, context)
        else { throw .invalid(offset: offset, reason: Self.message(code)) }
        var captureCount: UInt32 = 0
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &captureCount)
        guard captureCount <= ExpressionLimits.captureCount else {
            pcre2_code_free_8(compiled)
            throw .invalid(
                offset: 0,
                reason: "it has \(captureCount) groups, and the limit is "
                    + "\(ExpressionLimits.captureCount)")
        }
        if limits.isCompiledFurther { pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE) }
        self.code = compiled
        self.limits = limits
        stepWeight =
            counting == .none ? 0 : 1 + bytes.count / ExpressionLimits.patternBytesPerStep
    }

    deinit { pcre2_code_free_8(code) }

    private static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pcre2_get_error_message_8(code, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<Int(count)], as: UTF8.self) : "code \(code)"
    }
}
