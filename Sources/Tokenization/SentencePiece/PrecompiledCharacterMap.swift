/// Checks the character map of a SentencePiece normaliser, so that no text leads the library out of
/// its bounds.
///
/// The map is a double-array trie followed by the zero-terminated texts that its leaves point to.
/// The library follows the trie's offsets without checking them.
/// **Layout:** `[trie byte count: u32][trie units: u32 …][texts]`, little endian. A unit holds a
/// label in bits 0…7 (bit 31 set in a leaf), a leaf flag in bit 8, and an offset in bits 10…30,
/// shifted by 8 more when bit 9 is set.
/// **Source:** darts-clone; `normalizer.cc` of SentencePiece 0.1.97.
enum PrecompiledCharacterMap {
    /// - Throws: `malformedSentencePieceModel`.
    static func check(
        _ file: UnsafeBufferPointer<UInt8>, in range: Range<Int>
    ) throws(TokenizationError) {
        guard !range.isEmpty else { return }
        guard range.count > 4 else { throw malformed(range, "it is too short") }
        let trieByteCount = Int(word(file, at: range.lowerBound))
        guard trieByteCount >= 4 && trieByteCount % 4 == 0 && trieByteCount < range.count - 4 else {
            throw malformed(range, "its trie of \(trieByteCount) bytes does not fit")
        }
        let trieStart = range.lowerBound + 4
        let units = (0..<trieByteCount / 4).map { word(file, at: trieStart + 4 * $0) }
        let texts = UnsafeBufferPointer(
            rebasing: file[trieStart + trieByteCount..<range.upperBound])
        guard texts.last == 0, UTF8Validation.firstInvalidByte(in: texts) == nil else {
            throw malformed(range, "its texts are not zero-terminated UTF-8")
        }
        guard isClosed(units, textByteCount: texts.count) else {
            throw malformed(range, "its trie points outside itself")
        }
    }

    /// Whether every walk from the root stays inside `units` and every leaf's text inside the
    /// texts.
    private static func isClosed(_ units: [UInt32], textByteCount: Int) -> Bool {
        var visited = [Bool](repeating: false, count: units.count)
        var open = [0]
        visited[0] = true
        while let node = open.popLast() {
            let children = node ^ offset(units[node])
            guard children | 255 < units.count else { return false }
            let hasLeaf = units[node] >> 8 & 1 == 1
            if hasLeaf && Int(units[children] & 0x7FFF_FFFF) >= textByteCount { return false }
            for label in 0...255 {
                let child = children ^ label
                guard units[child] & 0x8000_00FF == UInt32(label), !visited[child] else { continue }
                visited[child] = true
                open.append(child)
            }
        }
        return true
    }

    private static func offset(_ unit: UInt32) -> Int {
        Int(unit >> 10) << Int((unit & (1 << 9)) >> 6)
    }

    private static func word(_ file: UnsafeBufferPointer<UInt8>, at offset: Int) -> UInt32 {
        (0..<4).reversed().reduce(0) { $0 << 8 | UInt32(file[offset + $1]) }
    }

    private static func malformed(_ range: Range<Int>, _ reason: String) -> TokenizationError {
        .malformedSentencePieceModel(
            offset: range.lowerBound, reason: "precompiled_charsmap is unusable, \(reason)")
    }
}
