/// How much a JSON text may ask of the reader.
public struct JSONLimits: Sendable, Equatable {
    /// Levels of arrays and objects inside each other; `[]` is one level.
    public var maximumDepth: Int
    /// Length of the text, in bytes.
    public var maximumByteCount: Int

    /// Limits for files: 64 levels and 1 GiB.
    ///
    /// Depth is held to 1…512, because conversion recurses once a level, and the length to what
    /// json-c can count (2 GiB).
    public init(maximumDepth: Int = 64, maximumByteCount: Int = 1 << 30) {
        self.maximumDepth = min(max(maximumDepth, 1), 512)
        self.maximumByteCount = min(max(maximumByteCount, 0), Int(Int32.max) - 64)
    }
}
