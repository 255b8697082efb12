import Glibc
import Kernels
import Testing
import Transformer

/// Memory that is backed ahead of its use.
struct PopulatedMarginTests {
    private static let mebibyte = 1 << 20
    private let memory = AlignedBuffer<Float>(count: 64 * mebibyte / 4)

    /// Which of the buffer's pages of 4 KiB the system has backed.
    private var backedPages: [Bool] {
        var pages = [UInt8](repeating: 0, count: 64 * Self.mebibyte / 4096)
        guard mincore(memory.pointer, 64 * Self.mebibyte, &pages) == 0 else { return [] }
        return pages.map { $0 & 1 == 1 }
    }

    private func backedByteCount(from first: Int = 0) -> Int {
        backedPages.dropFirst(first / 4096).prefix { $0 }.count * 4096
    }

    /// Waits until so many bytes from `first` on are backed.
    private func wait(from first: Int, for byteCount: Int) async throws {
        for _ in 0..<500 where backedByteCount(from: first) < byteCount {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(backedByteCount(from: first) >= byteCount)
    }

    @Test func someMemoryBehindWhatIsUsedIsBacked() async throws {
        #expect(backedByteCount() == 0)
        for index in 0..<1024 { memory.pointer[index] = Float(index) }
        let margin = PopulatedMargin(of: memory, marginByteCount: 8 * Self.mebibyte)
        try await wait(from: 0, for: 8 * Self.mebibyte)
        margin.use(4 * Self.mebibyte)
        try await wait(from: 0, for: 12 * Self.mebibyte)
        margin.use(30 * Self.mebibyte)
        try await wait(from: 30 * Self.mebibyte, for: 8 * Self.mebibyte)
        // What lies further is not, and what was written stays.
        let further = backedPages.dropFirst(42 * Self.mebibyte / 4096)
        #expect(further.allSatisfy { !$0 })
        for index in 0..<1024 { #expect(memory.pointer[index] == Float(index)) }
        withExtendedLifetime(margin) {}
    }

    @Test func theEndOfTheMemoryEndsTheMargin() async throws {
        let margin = PopulatedMargin(of: memory, marginByteCount: 8 * Self.mebibyte)
        margin.use(62 * Self.mebibyte)
        try await wait(from: 62 * Self.mebibyte, for: 2 * Self.mebibyte)
        margin.use(64 * Self.mebibyte)
        withExtendedLifetime(margin) {}
    }

    @Test func aPoolBacksPagesAheadOfThoseGivenOut() async throws {
        let shape = AttentionShape(
            queryHeadCount: 4, keyValueHeadCount: 4, headDimension: 64, scale: 1)
        let pool = KeyValuePagePool(
            pageCount: 512, layerCount: 4, shape: shape, populatesAhead: true)
        let pageByteCount = KeyValuePagePool.pageByteCount(layerCount: 4, shape: shape)
        let first = UnsafeMutableRawPointer(pool.page(0, layer: 0))
        func isBacked(_ byteOffset: Int) -> Bool {
            var page: UInt8 = 0
            let address = Int(bitPattern: first + byteOffset) & ~4095
            return mincore(UnsafeMutableRawPointer(bitPattern: address), 4096, &page) == 0
                && page & 1 == 1
        }
        let place = 300 * pageByteCount
        for _ in 0..<200 { _ = pool.allocate() }
        for _ in 0..<500 where !isBacked(place) {
            try await Task.sleep(for: .milliseconds(20))
        }
        // 100 pages of 128 KiB further are within the margin of 32 MiB, the last ones are not.
        #expect(pageByteCount == 128 << 10)
        #expect(isBacked(place))
        #expect(!isBacked(511 * pageByteCount))
    }
}
