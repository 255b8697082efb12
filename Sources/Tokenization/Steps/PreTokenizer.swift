/// One step that cuts a text into the pieces inside which tokens are merged.
indirect enum PreTokenizer: Sendable {
    /// Steps one after the other, each on the pieces of the one before.
    case sequence([PreTokenizer])
    /// Cuts at the matches of a pattern.
    case split(RegularExpression, SplitBehavior, inverted: Bool)
    /// Cuts numbers out of text, digit by digit or as a run.
    case digits(RegularExpression)
    /// The byte-level step: an optional space in front of each piece, and GPT-2's pattern.
    case byteLevel(addsPrefixSpace: Bool, RegularExpression?)
    /// SentencePiece's step: spaces become a mark, which is put in front of words without one.
    case spaceMarks(SpaceMarks)

    /// Whether pieces are read as bytes in the end, not as characters.
    var readsBytes: Bool {
        switch self {
        case .byteLevel: true
        case .sequence(let steps): steps.contains(where: \.readsBytes)
        case .split, .digits, .spaceMarks: false
        }
    }
}

/// How spaces are written as a mark (`Metaspace` in a `tokenizer.json`).
struct SpaceMarks: Sendable, Equatable {
    /// Which pieces get a mark in front that have none.
    enum Prefix: String, Sendable, CaseIterable {
        case always
        /// The one that begins the whole text.
        case first
        case never
    }

    var mark: [UInt8]
    var prefix: Prefix
    /// Whether every mark begins a piece of its own.
    var splits: Bool
}

/// What becomes of the text that a pattern matches.
enum SplitBehavior: String, Sendable, CaseIterable {
    /// A match is a piece of its own.
    case isolated = "Isolated"
    /// Matches are dropped.
    case removed = "Removed"
    /// A match ends the piece before it.
    case mergedWithPrevious = "MergedWithPrevious"
    /// A match begins the piece after it.
    case mergedWithNext = "MergedWithNext"
    /// Neighbouring matches are one piece.
    case contiguous = "Contiguous"
}

/// A text and the pieces that it is cut into, as byte ranges in order.
struct TextPieces: Sendable {
    var bytes: [UInt8]
    var ranges: [Range<Int>]
    /// Whether the first byte is the first of the whole text.
    let beginsText: Bool
    /// Steps that regular expressions may still take.
    var stepsLeft: Int

    /// All of `bytes` as one piece.
    init(_ bytes: [UInt8], beginsText: Bool) {
        self.bytes = bytes
        self.beginsText = beginsText
        stepsLeft = RegularExpression.stepLimit(byteCount: bytes.count)
        ranges = bytes.isEmpty ? [] : [0..<bytes.count]
    }
}

extension PreTokenizer {
    /// Cuts the pieces further.
    /// - Throws: `regularExpressionLimit`.
    func cut(_ pieces: inout TextPieces) throws(TokenizationError) {
        switch self {
        case .sequence(let steps):
            for step in steps { try step.cut(&pieces) }
        case .split(let pattern, let behavior, let inverted):
            try Self.cut(&pieces, at: pattern, behavior, inverted: inverted)
        case .digits(let pattern):
            try Self.cut(&pieces, at: pattern, .isolated, inverted: false)
        case .byteLevel(let addsPrefixSpace, let pattern):
            if addsPrefixSpace { Self.addPrefixSpaces(&pieces) }
            if let pattern { try Self.cut(&pieces, at: pattern, .isolated, inverted: false) }
        case .spaceMarks(let marks):
            marks.write(&pieces)
        }
    }

    private static func cut(
        _ pieces: inout TextPieces, at pattern: RegularExpression, _ behavior: SplitBehavior,
        inverted: Bool
    ) throws(TokenizationError) {
        // `withUnsafeBufferPointer` can't rethrow a typed error from a multi-line closure.
        let matches = pieces.bytes.withUnsafeBufferPointer { buffer in
            Result { () throws(TokenizationError) in
                try pattern.matches(
                    in: buffer, ranges: pieces.ranges, stepsLeft: &pieces.stepsLeft)
            }
        }
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(pieces.ranges.count)
        for (range, matches) in zip(pieces.ranges, try matches.get()) {
            behavior.append(parts(of: range, at: matches, inverted: inverted), to: &ranges)
        }
        pieces.ranges = ranges
    }

    /// `range` in alternating parts: between matches and matched (the other way round when
    /// inverted).
    private static func parts(
        of range: Range<Int>, at matches: [Range<Int>], inverted: Bool
    ) -> [TextPart] {
        var parts: [TextPart] = []
        var end = range.lowerBound
        for match in matches {
            let start = range.lowerBound + match.lowerBound
            if start > end { parts.append(TextPart(range: end..<start, isMatch: inverted)) }
            end = range.lowerBound + match.upperBound
            parts.append(TextPart(range: start..<end, isMatch: !inverted))
        }
        if end < range.upperBound {
            parts.append(TextPart(range: end..<range.upperBound, isMatch: inverted))
        }
        return parts
    }

    private static func addPrefixSpaces(_ pieces: inout TextPieces) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pieces.bytes.count + pieces.ranges.count)
        pieces.ranges = pieces.ranges.map { range in
            let start = bytes.count
            if pieces.bytes[range.lowerBound] != UInt8(ascii: " ") {
                bytes.append(UInt8(ascii: " "))
            }
            bytes += pieces.bytes[range]
            return start..<bytes.count
        }
        pieces.bytes = bytes
    }
}

/// A stretch of text that a pattern matched, or that lies between matches.
struct TextPart {
    var range: Range<Int>
    var isMatch: Bool
}

extension SplitBehavior {
    /// Appends the pieces that `parts` make under this behaviour; empty ones vanish.
    func append(_ parts: [TextPart], to ranges: inout [Range<Int>]) {
        switch self {
        case .isolated: append(parts.map(\.range), to: &ranges)
        case .removed: append(parts.filter { !$0.isMatch }.map(\.range), to: &ranges)
        case .mergedWithPrevious:
            append(joined(parts) { before, part in part.isMatch && !before.isMatch }, to: &ranges)
        case .mergedWithNext:
            append(joined(parts) { before, part in before.isMatch && !part.isMatch }, to: &ranges)
        case .contiguous:
            append(joined(parts) { before, part in before.isMatch == part.isMatch }, to: &ranges)
        }
    }

    private func append(_ pieces: [Range<Int>], to ranges: inout [Range<Int>]) {
        for piece in pieces where !piece.isEmpty { ranges.append(piece) }
    }

    /// Joins each part to the one before where `joins` says so.
    private func joined(
        _ parts: [TextPart], where joins: (_ before: TextPart, _ part: TextPart) -> Bool
    ) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var before: TextPart?
        for part in parts {
            if let before, joins(before, part), let last = pieces.last {
                pieces[pieces.count - 1] = last.lowerBound..<part.range.upperBound
            } else {
                pieces.append(part.range)
            }
            before = part
        }
        return pieces
    }
}

extension SpaceMarks {
    /// Writes the marks and cuts before them.
    func write(_ pieces: inout TextPieces) {
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        bytes.reserveCapacity(pieces.bytes.count + mark.count * pieces.ranges.count)
        for range in pieces.ranges {
            var piece = Array(pieces.bytes[range]).replacingEach([UInt8(ascii: " ")], with: mark)
            let isFirst = range.lowerBound == 0 && pieces.beginsText
            if !piece.starts(with: mark), prefix == .always || (prefix == .first && isFirst) {
                piece = mark + piece
            }
            let start = bytes.count
            bytes += piece
            let whole = start..<bytes.count
            if splits { ranges += words(of: bytes, in: whole) } else { ranges.append(whole) }
        }
        pieces.bytes = bytes
        pieces.ranges = ranges
    }

    /// `range` cut before each mark.
    private func words(of bytes: [UInt8], in range: Range<Int>) -> [Range<Int>] {
        var words: [Range<Int>] = []
        var start = range.lowerBound
        var index = start
        while index < range.upperBound {
            let isMark = bytes[index..<range.upperBound].starts(with: mark)
            if isMark && index > start {
                words.append(start..<index)
                start = index
            }
            index += isMark ? mark.count : 1
        }
        if start < range.upperBound { words.append(start..<range.upperBound) }
        return words
    }
}
