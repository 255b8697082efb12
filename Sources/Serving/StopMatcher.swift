/// Finds stop strings in a text that arrives in pieces, and holds back what may be the beginning of
/// one.
///
/// The stop string that is complete first counts; of several that end with the same byte, the
/// longest. So the result doesn't depend on how the text is cut into pieces.
///
/// **Source** Knuth, Morris, Pratt: Fast pattern matching in strings (1977).
package struct StopMatcher: Sendable {
    /// One stop string and how much of it the end of the text matches.
    private struct Pattern: Sendable {
        let bytes: [UInt8]
        /// For each length, the longest shorter beginning that is also an end of that much.
        let fallback: [Int]
        var matchedCount = 0

        init(_ text: String) {
            bytes = Array(text.utf8)
            var fallback = [0, 0]
            var length = 0
            for place in bytes.indices.dropFirst() {
                while length > 0, bytes[place] != bytes[length] { length = fallback[length] }
                if bytes[place] == bytes[length] { length += 1 }
                fallback.append(length)
            }
            self.fallback = fallback
        }

        /// - Returns: whether `byte` completes the string.
        mutating func advance(_ byte: UInt8) -> Bool {
            while matchedCount > 0, bytes[matchedCount] != byte {
                matchedCount = fallback[matchedCount]
            }
            if bytes[matchedCount] == byte { matchedCount += 1 }
            return matchedCount == bytes.count
        }
    }

    private var patterns: [Pattern]
    private var held: [UInt8] = []
    /// Whether a stop string was found; nothing comes out any more then.
    package private(set) var hasStopped = false

    /// - Parameter stops: empty ones are ignored.
    package init(_ stops: [String]) {
        patterns = stops.filter { !$0.isEmpty }.map(Pattern.init)
    }

    /// Whether text is held back now.
    package var isHolding: Bool { !held.isEmpty }

    /// Takes whole characters; returns the text that no stop string can begin in any more.
    package mutating func append(_ text: String) -> String {
        guard !hasStopped else { return "" }
        guard !patterns.isEmpty else { return text }
        for byte in text.utf8 {
            held.append(byte)
            let stopByteCount = advance(byte)
            if stopByteCount > 0 { return stop(stopByteCount) }
        }
        let heldCount = patterns.reduce(0) { max($0, $1.matchedCount) }
        return release(held.count - heldCount)
    }

    /// No more text comes: what was held back is text after all.
    package mutating func finish() -> String {
        release(held.count)
    }

    /// - Returns: bytes of the longest stop string that is complete now, or 0.
    private mutating func advance(_ byte: UInt8) -> Int {
        var longest = 0
        for index in patterns.indices where patterns[index].advance(byte) {
            longest = max(longest, patterns[index].bytes.count)
        }
        return longest
    }

    private mutating func stop(_ stopByteCount: Int) -> String {
        hasStopped = true
        let text = release(held.count - stopByteCount)
        held = []
        return text
    }

    private mutating func release(_ byteCount: Int) -> String {
        defer { held.removeFirst(byteCount) }
        return String(decoding: held.prefix(byteCount), as: UTF8.self)
    }
}
