/// Memory that packed matrices share, in chunks large enough for the system's large pages.
///
/// A step streams all weights of a base. With pages of 4 KiB a processor looks up a place in memory
/// for each few rows of weights, which takes up to a tenth of the time of decoding; matrices of a
/// MiB or two, each in memory of its own, never get larger ones.
///
/// A chunk lives as long as one of its matrices. For one thread at a time.
public final class PackedArena {
    private let chunkByteCount: Int
    private var chunk: AlignedBuffer<UInt8>?
    private var usedByteCount = 0

    /// - Parameter chunkByteCount: what is taken from the system at a time, at least.
    public init(chunkByteCount: Int = 64 << 20) {
        self.chunkByteCount = chunkByteCount
    }

    /// Room at a 64-byte boundary, and what keeps it alive.
    func take(
        _ byteCount: Int
    ) -> (owner: AlignedBuffer<UInt8>, bytes: UnsafeMutableRawBufferPointer) {
        let rounded = (byteCount + 63) & ~63
        let chunk: AlignedBuffer<UInt8>
        if let current = self.chunk, current.count - usedByteCount >= rounded {
            chunk = current
        } else {
            chunk = AlignedBuffer(count: max(rounded, chunkByteCount))
            self.chunk = chunk
            usedByteCount = 0
        }
        let start = chunk.pointer + usedByteCount
        usedByteCount += rounded
        return (chunk, UnsafeMutableRawBufferPointer(start: start, count: byteCount))
    }
}
