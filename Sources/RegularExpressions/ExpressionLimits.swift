/// What matching may cost.
public struct ExpressionLimits: Sendable {
    /// The longest pattern as people write it, in bytes.
    public static let patternByteCount = 1 << 16
    /// The longest in PCRE2's spelling.
    static let translatedByteCount = 1 << 18
    /// The most groups that a pattern may capture: each match has room for all of them.
    public static let captureCount = 1000
    /// Parentheses inside parentheses. **Source**: PCRE2's own standard, `parens_nest_limit`.
    public static let depth = 250
    /// Backtracking points of one match.
    static let backtrackCount: UInt32 = 10_000_000
    /// Patterns of more bytes than this make each step count more, since one character is then
    /// compared with that much more.
    static let patternBytesPerStep = 1024

    /// Steps that an item of a pattern takes; a character that is passed takes one.
    static let stepsOfItem = 8

    /// Memory of one match, in bytes.
    public let memory: Int
    /// True where a pattern is matched so often that it is worth to be compiled to machine code.
    let isCompiledFurther: Bool

    /// Names of modules are short, and patterns for them many.
    public static let names = ExpressionLimits(memory: 16 << 20, isCompiledFurther: false)
    /// A text may be one run of millions of characters.
    public static let texts = ExpressionLimits(memory: 512 << 20, isCompiledFurther: true)
}
