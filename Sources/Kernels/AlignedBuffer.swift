import Glibc

/// Zeroed memory at a 64-byte boundary, freed with its last reference.
///
/// `@unchecked Sendable`: the pointer never changes; who shares a buffer between threads sees to it
/// that writes don't overlap, as with any raw memory.
public final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
    public let pointer: UnsafeMutablePointer<Element>
    /// Elements.
    public let count: Int
    private let mappedByteCount: Int

    /// Large buffers are taken from the system page by page, so that untouched pages cost nothing.
    public init(count: Int) {
        precondition(count >= 0)
        let byteCount = max(64, count * MemoryLayout<Element>.stride)
        let memory = mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
            0)
        guard let memory, memory != MAP_FAILED else {
            preconditionFailure("out of memory: \(byteCount) bytes")
        }
        if byteCount >= 1 << 21 { madvise(memory, byteCount, MADV_HUGEPAGE) }
        pointer = memory.bindMemory(to: Element.self, capacity: max(1, count))
        self.count = count
        mappedByteCount = byteCount
    }

    deinit { munmap(pointer, mappedByteCount) }
}
