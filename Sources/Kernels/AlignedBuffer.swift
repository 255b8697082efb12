import Glibc

/// Zeroed memory at a 64-byte boundary, freed with its last reference.
///
/// `@unchecked Sendable`: the pointer never changes; who shares a buffer between threads sees to it
/// that writes don't overlap, as with any raw memory.
public final class AlignedBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
    public let pointer: UnsafeMutablePointer<Element>
    /// Elements.
    public let count: Int
    /// Bytes taken from the system page by page; 0 for memory of the heap.
    private let mappedByteCount: Int

    /// From here on memory is mapped, so that untouched pages cost nothing. Smaller buffers come
    /// from the heap: a process may only have some ten thousand mappings, and adapters have
    /// hundreds of small matrices each.
    private static var mappingThreshold: Int { 1 << 20 }

    /// - Parameter isSparse: true where little of it is touched as a rule; large pages, which large
    ///   buffers otherwise lie in, would take more memory than that.
    public init(count: Int, isSparse: Bool = false) {
        precondition(count >= 0)
        let byteCount = max(64, count * MemoryLayout<Element>.stride)
        mappedByteCount = byteCount >= Self.mappingThreshold ? byteCount : 0
        let memory =
            mappedByteCount > 0
            ? Self.map(byteCount, inLargePages: !isSparse) : Self.allocate(byteCount)
        guard let memory else { preconditionFailure("out of memory: \(byteCount) bytes") }
        pointer = memory.bindMemory(to: Element.self, capacity: max(1, count))
        self.count = count
    }

    deinit {
        if mappedByteCount > 0 { munmap(pointer, mappedByteCount) } else { free(pointer) }
    }

    private static func map(
        _ byteCount: Int, inLargePages: Bool
    ) -> UnsafeMutableRawPointer? {
        let memory = mmap(
            nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
            0)
        guard let memory, memory != MAP_FAILED else { return nil }
        if inLargePages, byteCount >= 1 << 21 { madvise(memory, byteCount, MADV_HUGEPAGE) }
        return memory
    }

    private static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, 64, byteCount) == 0, let memory else { return nil }
        memset(memory, 0, byteCount)
        return memory
    }
}
