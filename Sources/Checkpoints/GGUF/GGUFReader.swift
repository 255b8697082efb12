/// Reads little-endian fields of a GGUF file one after the other, never past its end.
struct GGUFReader {
    let bytes: UnsafeRawBufferPointer
    let path: String
    private(set) var offset = 0
    /// Something was asked for behind the end.
    private(set) var hasRunOut = false

    /// Keys are at most this long (GGUF specification); a wrong length is found before anything is
    /// copied.
    static let maximumKeyByteCount = 65_535

    init(_ bytes: UnsafeRawBufferPointer, path: String) {
        self.bytes = bytes
        self.path = path
    }

    mutating func integer<Value: FixedWidthInteger>(
        _ type: Value.Type, _ what: @autoclosure () -> String
    ) throws(CheckpointError) -> Value {
        let start = try skip(MemoryLayout<Value>.size, what())
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: Value.self))
    }

    /// A count or size that must fit `Int`.
    mutating func count(_ what: @autoclosure () -> String) throws(CheckpointError) -> Int {
        let value = try integer(UInt64.self, what())
        guard let count = Int(exactly: value) else {
            throw .malformed(
                path: path, reason: "\(what()) is \(value), more than any file can hold")
        }
        return count
    }

    /// The range of a string: its length, then its bytes.
    mutating func string(_ what: @autoclosure () -> String) throws(CheckpointError) -> Range<Int> {
        let byteCount = try count("length of \(what())")
        let start = try skip(byteCount, what())
        return start..<(start + byteCount)
    }

    /// A string that must be UTF-8.
    mutating func text(_ what: @autoclosure () -> String) throws(CheckpointError) -> String {
        let range = try string(what())
        guard let text = GGUFText.validated(bytes, range) else {
            throw .malformed(
                path: path, reason: "\(what()) is not UTF-8 (byte \(range.lowerBound))")
        }
        return text
    }

    /// Passes over `byteCount` bytes and returns where they begin.
    @discardableResult
    mutating func skip(
        _ byteCount: Int, _ what: @autoclosure () -> String
    ) throws(CheckpointError) -> Int {
        guard byteCount <= bytes.count - offset else {
            hasRunOut = true
            throw .malformed(
                path: path,
                reason: "truncated: \(what()) needs \(byteCount) bytes at \(offset), "
                    + "the file has \(bytes.count)")
        }
        defer { offset += byteCount }
        return offset
    }
}

/// Strings of a GGUF file.
enum GGUFText {
    /// The text at `range`; nil when it is not UTF-8.
    static func validated(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String? {
        String(validating: UnsafeRawBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }
}
