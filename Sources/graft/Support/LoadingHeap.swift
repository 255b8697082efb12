import Glibc

/// The C library's allocator: how it grows, and what it keeps while a server loads.
///
/// **Source**: mallopt(3) and malloc_trim(3), which the C library's module doesn't list; nothing
/// happens where it has none.
enum LoadingHeap {
    private static let topPad: Int32 = -2
    private static let mappingThreshold: Int32 = -3
    private static let largestArenaCount: Int32 = -8

    /// To be called before there are threads. All share one arena, which grows by megabytes: one of
    /// a thread's own grows by a page at a time, a system call each. And what an adapter leaves
    /// that was dropped serves the next one then, whichever thread reads it.
    static func prepare() {
        set(largestArenaCount, to: 1)
        set(topPad, to: 8 << 20)
        set(mappingThreshold, to: 32 << 20)
    }

    /// From here on larger blocks are mapped by themselves, and go back to the system when freed:
    /// what loading needs for a moment lies between what it leaves, and would stay with the
    /// process.
    static func begin() {
        set(mappingThreshold, to: 128 << 10)
    }

    /// Gives freed pages back. Larger blocks come from the heap again, which is faster.
    static func end() {
        set(mappingThreshold, to: 32 << 20)
        typealias Trim = @convention(c) (Int) -> Int32
        if let trim: Trim = function("malloc_trim") { _ = trim(0) }
    }

    private static func set(_ option: Int32, to value: Int32) {
        typealias SetOption = @convention(c) (Int32, Int32) -> Int32
        if let setOption: SetOption = function("mallopt") { _ = setOption(option, value) }
    }

    private static func function<Function>(_ name: String) -> Function? {
        dlsym(nil, name).map { unsafeBitCast($0, to: Function.self) }
    }
}
