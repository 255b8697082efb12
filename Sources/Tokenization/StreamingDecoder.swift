/// Turns tokens into text one by one, never giving out part of a character.
///
/// The pieces joined are exactly what ``Tokenizer/decode(_:at:)`` makes of all tokens at once.
public struct StreamingDecoder: Sendable {
    private let tokenizer: any Tokenizer
    private var position: TextPosition
    private var pending: [UInt8] = []

    /// A decoder for tokens that continue a prompt, or for a whole text with `.beginning`.
    public init(_ tokenizer: any Tokenizer, at position: TextPosition = .continuation) {
        self.tokenizer = tokenizer
        self.position = position
    }

    /// The characters that `token` completes; may be empty.
    public mutating func append(_ token: Int) -> String {
        pending += tokenizer.bytes(of: token, at: &position)
        let heldCount = UTF8Validation.incompleteSuffixCount(of: pending)
        let text = String(decoding: pending.dropLast(heldCount), as: UTF8.self)
        pending.removeFirst(pending.count - heldCount)
        return text
    }

    /// What is left when no more tokens come: U+FFFD for an unfinished character, else nothing.
    public mutating func finish() -> String {
        defer { pending.removeAll() }
        return String(decoding: pending, as: UTF8.self)
    }
}
