internal import Kernels
internal import Synchronization

/// Memory that files are read into for a moment, used again and again: memory that is new to a
/// process costs more than what is read into it.
final class ReadBuffers: Sendable {
    private static let countLimit = 2
    private static let byteCountLimit = 16 << 20
    private let buffers = Mutex<[AlignedBuffer<UInt8>]>([])

    /// A buffer of at least so many bytes, whatever they hold.
    func take(_ byteCount: Int) -> AlignedBuffer<UInt8> {
        let known = buffers.withLock { buffers in
            buffers.firstIndex { $0.count >= byteCount }.map { buffers.remove(at: $0) }
        }
        return known ?? AlignedBuffer(count: byteCount)
    }

    func giveBack(_ buffer: AlignedBuffer<UInt8>) {
        guard buffer.count <= Self.byteCountLimit else { return }
        buffers.withLock { buffers in
            buffers.append(buffer)
            guard buffers.count > Self.countLimit else { return }
            let smallest = buffers.indices.min { buffers[$0].count < buffers[$1].count }
            if let smallest { buffers.remove(at: smallest) }
        }
    }
}
