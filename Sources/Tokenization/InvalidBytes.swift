/// What becomes of tokens' bytes that are no UTF-8.
public enum InvalidBytes: Sendable, Equatable {
    /// One U+FFFD for each part of a character that something else follows, as `tokenizers` has it
    /// for tokens over bytes.
    case onePerPart
    /// One U+FFFD for each byte that is part of no character, as SentencePiece has it.
    case onePerByte
    /// One U+FFFD for each byte of a run of byte tokens that is not UTF-8 as a whole, as
    /// `tokenizers` has it for SentencePiece's vocabularies.
    case onePerByteOfRun

    /// Text of which each byte that is part of no character is U+FFFD.
    static func textOfEachByte(_ bytes: some Collection<UInt8>) -> String {
        var rest = Array(bytes)[...]
        var text: [UInt8] = []
        text.reserveCapacity(rest.count)
        while let lead = rest.first {
            let count = UTF8Validation.shape(lead: lead)?.byteCount ?? 1
            let character = Array(rest.prefix(count))
            let isValid = character.withUnsafeBufferPointer {
                UTF8Validation.firstInvalidByte(in: $0) == nil
            }
            text += isValid ? character : replacement
            rest.removeFirst(isValid ? count : 1)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a run of byte tokens, or as many U+FFFD.
    static func wholeRun(_ run: [UInt8]) -> [UInt8] {
        let isValid = run.withUnsafeBufferPointer {
            UTF8Validation.firstInvalidByte(in: $0) == nil
        }
        return isValid ? run : run.flatMap { _ in replacement }
    }

    private static let replacement = Array("\u{FFFD}".utf8)
}
