internal import CKernels

/// Memory that will be read soon.
public enum Prefetch {
    /// Has a value brought into the caches; the thread does not wait for it.
    public static func value<Value: BitwiseCopyable>(_ pointer: UnsafePointer<Value>) {
        gk_fetch(pointer, MemoryLayout<Value>.size)
    }
}

/// What a worker will read first of the next products; it fetches that while it waits for other
/// workers, when memory would be idle.
struct UpcomingMemory: BitwiseCopyable {
    /// What stays in the second-level cache until it is read.
    private static let fetchedByteCount = 96 << 10
    /// Bytes between two looks at whether the wait is over.
    private static let stepByteCount = 128

    private let start: UnsafeRawPointer?
    private let byteCount: Int
    private var offset = 0

    private init(start: UnsafeRawPointer?, byteCount: Int) {
        self.start = start
        self.byteCount = byteCount
    }

    /// Nothing.
    init() { self.init(start: nil, byteCount: 0) }

    /// The first bytes of a worker's share of matrices that workers read in equal parts, one matrix
    /// after the other.
    init(_ matrices: [PackedView], worker: Int, workerCount: Int) {
        var before = matrices.reduce(0) { $0 + $1.byteCount } / workerCount * worker
        for matrix in matrices {
            if before < matrix.byteCount {
                self.init(
                    start: matrix.bytes + before,
                    byteCount: min(Self.fetchedByteCount, matrix.byteCount - before))
                return
            }
            before -= matrix.byteCount
        }
        self.init()
    }

    /// Goes on where it was if the memory is the same.
    mutating func update(to other: UpcomingMemory) {
        if other.start != start { self = other }
    }

    /// Fetches a little more; false when all is fetched.
    mutating func fetch() -> Bool {
        guard let start, offset < byteCount else { return false }
        gk_fetch_near(start + offset, Self.stepByteCount)
        offset += Self.stepByteCount
        return true
    }
}
