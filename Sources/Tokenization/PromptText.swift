/// What a special token is that is spelled out in a text.
public enum SpecialTokens: String, Sendable, CaseIterable {
    /// That token, as in `transformers`.
    case parse
    /// Characters like any others.
    case text
}

/// A text for a tokenizer, with stretches in which special tokens are no more than their
/// characters.
public struct PromptText: Sendable, Equatable {
    /// UTF-8.
    public private(set) var bytes: [UInt8] = []
    /// Where special tokens are not looked for, in order and apart from each other.
    public private(set) var plainRanges: [Range<Int>] = []

    /// An empty text.
    public init() {}

    /// A text of one kind.
    public init(_ text: String, specialTokens: SpecialTokens = .parse) {
        append(text, specialTokens: specialTokens)
    }

    public mutating func append(_ text: String, specialTokens: SpecialTokens) {
        let start = bytes.count
        bytes += text.utf8
        guard specialTokens == .text, bytes.count > start else { return }
        if let last = plainRanges.last, last.upperBound == start {
            plainRanges[plainRanges.count - 1] = last.lowerBound..<bytes.count
        } else {
            plainRanges.append(start..<bytes.count)
        }
    }

    /// The same text, whatever stands in it plain.
    public var whollyPlain: PromptText {
        var text = self
        text.plainRanges = bytes.isEmpty ? [] : [0..<bytes.count]
        return text
    }

    public var string: String { String(decoding: bytes, as: UTF8.self) }
}
