/// What a stream of bytes holds next.
public enum FramedLine: Equatable, Sendable {
    /// A line without its end, `\n` or `\r\n`; never blank.
    case line([UInt8])
    /// A line had more bytes than may be; all of it is skipped.
    case tooLong(limit: Int)
}

/// Cuts a stream of bytes into lines and never keeps more of one than the limit.
public struct LineFramer: Sendable {
    /// Bytes of a line, at most, without its end.
    public let limit: Int
    private var partial: [UInt8] = []
    private var isSkipping = false

    public init(limit: Int) {
        self.limit = max(1, limit)
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
        if partial.count + bytes.count > limit + 1 {
            skip(body)
        } else {
            partial.append(contentsOf: bytes)
        }
    }

    private mutating func skip(_ body: (FramedLine) -> Void) {
        partial = []
        isSkipping = true
        body(.tooLong(limit: limit))
    }

    private mutating func endLine(_ body: (FramedLine) -> Void) {
        if !isSkipping {
            if partial.last == UInt8(ascii: "\r") { partial.removeLast() }
            if partial.count > limit {
                skip(body)
            } else if !partial.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) {
                body(.line(partial))
            }
        }
        partial = []
        isSkipping = false
    }
}
