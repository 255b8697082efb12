/// Turns tokens into text one by one, never giving out part of a character.
///
/// The pieces joined are exactly what ``Tokenizer/decode(_:at:rowCount:)`` makes of all tokens at
/// once.
public struct StreamingDecoder: Sendable {
    private let tokenizer: any Tokenizer
    private var position: TextPosition
    /// Bytes that may become a character, or a run of byte tokens.
    private var pending: [UInt8] = []

    /// A decoder for tokens that continue a prompt, or for a whole text with `.beginning`.
    public init(_ tokenizer: any Tokenizer, at position: TextPosition = .continuation) {
        self.tokenizer = tokenizer
        self.position = position
    }

    /// The characters that `token` completes; may be empty.
    public mutating func append(_ token: Int) -> String {
        switch tokenizer.invalidBytes {
        case .onePerByteOfRun: return appendToRun(token)
        case .onePerByte where tokenizer.byteValue(of: token) == nil:
            // Only bytes go on with a character, and what stands for no text ends one, too.
            let text = finish()
            return text + String(decoding: tokenizer.bytes(of: token, at: &position), as: UTF8.self)
        case .onePerByte, .onePerPart: break
        }
        pending += tokenizer.bytes(of: token, at: &position)
        let heldCount = UTF8Validation.incompleteSuffixCount(of: pending)
        let text = text(of: pending.dropLast(heldCount))
        pending.removeFirst(pending.count - heldCount)
        return text
    }

    /// What is left when no more tokens come: U+FFFD for an unfinished character, else nothing.
    public mutating func finish() -> String {
        if tokenizer.invalidBytes == .onePerByteOfRun { return endRun() }
        defer { pending.removeAll() }
        return text(of: pending[...])
    }

    private func text(of bytes: ArraySlice<UInt8>) -> String {
        tokenizer.invalidBytes == .onePerByte
            ? InvalidBytes.textOfEachByte(bytes) : String(decoding: bytes, as: UTF8.self)
    }

    /// A run of byte tokens is one text, so it waits for what ends it; tokens that stand for no
    /// text don't.
    private mutating func appendToRun(_ token: Int) -> String {
        if let byte = tokenizer.byteValue(of: token) {
            pending.append(byte)
            return ""
        }
        guard !tokenizer.isSpecial(token), !tokenizer.spelling(of: token).isEmpty else { return "" }
        let text = endRun()
        return text + String(decoding: tokenizer.bytes(of: token, at: &position), as: UTF8.self)
    }

    private mutating func endRun() -> String {
        guard !pending.isEmpty else { return "" }
        defer { pending.removeAll() }
        let bytes = InvalidBytes.wholeRun(pending)
        return String(
            decoding: tokenizer.withoutLeadingSpace(bytes, at: &position), as: UTF8.self)
    }
}
