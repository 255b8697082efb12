/// What a stream of bytes holds next.
public enum FramedLine: Equatable, Sendable {
    /// A line without its end, `\n` or `\r\n`; never blank.
    case line([UInt8])
    /// A line had more bytes than may be; all of it is skipped.
    case tooLong(limit: Int)
    /// A line found no room beside the lines of other connections; all of it is skipped.
    case noRoom
}

/// Cuts a stream of bytes into lines and never keeps more of one than the limit.
public struct LineFramer: Sendable {
    /// Bytes of a line, at most, without its end.
    public let limit: Int
    /// Bytes of a line for which there is always room.
    private let ownByteCount: Int
    /// Where longer lines have their room from; nil for as much as they need.
    private let budget: ByteBudget?
    private var partial: [UInt8] = []
    /// Bytes of the line that are held in the budget.
    private var heldByteCount = 0
    private var isSkipping = false

    public init(limit: Int, ownByteCount: Int = 0, budget: ByteBudget? = nil) {
        self.limit = max(1, limit)
        self.ownByteCount = ownByteCount
        self.budget = budget
    }

    /// No more bytes come and nothing is wanted of those that came.
    public mutating func abandon() {
        clear()
        isSkipping = true
    }

    /// Takes the next bytes, however they were cut; calls `body` for each line that they complete,
    /// and at once where a line passes the limit.
    public mutating func append(
        _ bytes: UnsafeRawBufferPointer, _ body: (FramedLine) -> Void
    ) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            take(rest[..<end], body)
            endLine(body)
            rest = rest[(end + 1)...]
        }
        take(rest, body)
    }

    /// The input is over: what came after the last line end is a line as well.
    public mutating func finish(_ body: (FramedLine) -> Void) {
        endLine(body)
    }

    private mutating func take(
        _ bytes: Slice<UnsafeRawBufferPointer>, _ body: (FramedLine) -> Void
    ) {
        guard !isSkipping else { return }
        // One byte more is let in, since it may be the `\r` of the line's end.
        let byteCount = partial.count + bytes.count
        if byteCount > limit + 1 {
            skip(.tooLong(limit: limit), body)
        } else if !hold(byteCount - ownByteCount) {
            skip(.noRoom, body)
        } else {
            partial.append(contentsOf: bytes)
        }
    }

    /// Holds this many bytes in the budget, those that are held already included.
    private mutating func hold(_ byteCount: Int) -> Bool {
        guard let budget, byteCount > heldByteCount else { return true }
        guard budget.tryTake(byteCount - heldByteCount) else { return false }
        heldByteCount = byteCount
        return true
    }

    private mutating func clear() {
        partial = []
        budget?.give(heldByteCount)
        heldByteCount = 0
    }

    private mutating func skip(_ line: FramedLine, _ body: (FramedLine) -> Void) {
        clear()
        isSkipping = true
        body(line)
    }

    private mutating func endLine(_ body: (FramedLine) -> Void) {
        if !isSkipping {
            if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
            if partial.count > limit {
                skip(.tooLong(limit: limit), body)
            } else if !partial.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) {
                body(.line(partial))
            }
        }
        clear()
        isSkipping = false
    }
}
