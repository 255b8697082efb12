/// A token that is found in a text before anything else cuts it.
struct AddedToken: Sendable, Equatable {
    var spelling: String
    var id: Int
    /// Stands for no text: skipped when tokens become text.
    var isSpecial = true
    /// Takes the white space before it along.
    var stripsLeft = false
    /// Takes the white space after it along.
    var stripsRight = false
    /// Is found only where no word character touches it.
    var isSingleWord = false
    /// Is looked for in the normalised text.
    var isNormalized = false
}

/// Finds added tokens in a text: from left to right, the longest of those that begin at the same
/// place.
struct AddedTokenMatcher: Sendable {
    /// A stretch of text: an added token, or text between them when `token` is nil.
    struct Segment: Sendable, Equatable {
        var token: Int?
        var range: Range<Int>
    }

    private struct Candidate: Sendable {
        var bytes: [UInt8]
        var token: AddedToken
    }

    /// Tokens by their first byte, the longest first.
    private var candidates: [[Candidate]] = Array(repeating: [], count: 256)

    init(_ tokens: [AddedToken]) {
        for token in tokens {
            let bytes = Array(token.spelling.utf8)
            guard let first = bytes.first else { continue }
            candidates[Int(first)].append(Candidate(bytes: bytes, token: token))
        }
        for first in candidates.indices {
            candidates[first].sort { $0.bytes.count > $1.bytes.count }
        }
    }

    /// Cuts valid UTF-8 into added tokens and the text between them.
    /// - Parameter plainRanges: stretches, in order, that special tokens are not found in.
    func segments(
        of text: UnsafeBufferPointer<UInt8>, besides plainRanges: [Range<Int>]
    ) -> [Segment] {
        var segments: [Segment] = []
        var end = 0
        var index = 0
        var plain = plainRanges[...]
        while index < text.count {
            while let range = plain.first, range.upperBound <= index { plain.removeFirst() }
            guard let candidate = candidate(at: index, in: text, before: plain.first) else {
                index += 1
                continue
            }
            let match = index..<index + candidate.bytes.count
            index = match.upperBound
            if candidate.token.isSingleWord && TextBoundary.isInsideWord(match, of: text) {
                continue
            }
            let range = widened(match, for: candidate.token, in: text, notBefore: end)
            if end < range.lowerBound { segments.append(Segment(range: end..<range.lowerBound)) }
            segments.append(Segment(token: candidate.token.id, range: range))
            end = range.upperBound
            index = max(index, end)
        }
        if end < text.count { segments.append(Segment(range: end..<text.count)) }
        return segments
    }

    /// - Parameter plain: the next stretch that special tokens are not found in.
    private func candidate(
        at index: Int, in text: UnsafeBufferPointer<UInt8>, before plain: Range<Int>?
    ) -> Candidate? {
        let bucket = candidates[Int(text[index])]
        guard !bucket.isEmpty else { return nil }
        let specialLimit = plain.map { max(0, $0.lowerBound - index) } ?? Int.max
        return bucket.first { candidate in
            candidate.bytes.count <= text.count - index
                && (!candidate.token.isSpecial || candidate.bytes.count <= specialLimit)
                && candidate.bytes.indices.allSatisfy { text[index + $0] == candidate.bytes[$0] }
        }
    }

    private func widened(
        _ match: Range<Int>, for token: AddedToken, in text: UnsafeBufferPointer<UInt8>,
        notBefore limit: Int
    ) -> Range<Int> {
        var start = match.lowerBound
        var end = match.upperBound
        if token.stripsLeft {
            start = max(limit, TextBoundary.whiteSpaceStart(before: start, in: text))
        }
        if token.stripsRight { end = TextBoundary.whiteSpaceEnd(after: end, in: text) }
        return start..<end
    }
}
