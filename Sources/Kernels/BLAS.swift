internal import COpenBLAS

/// The linear algebra of loading and merging, by OpenBLAS.
///
/// The library is opened when it is first used, not linked: it chooses its kernels while it is
/// loaded, by the processor's model number, and takes a core that is newer than itself for an old
/// one. So it is told before, and to use the same kernels on every x86 processor with AVX2 and FMA:
/// what becomes of a file doesn't depend on the machine. `OPENBLAS_CORETYPE` in the environment has
/// the last word. Serving does not depend on it: steps use kernels of our own.
public enum BLAS {
    /// Why the library can't be used, in one sentence; nil where it can. Everything else here, and
    /// all of LAPACK, ends the process where it can't, so programs ask at their start.
    ///
    /// Sets `OPENBLAS_CORETYPE` where it isn't set, so it is asked before other threads read the
    /// environment.
    public static let failure: String? = openblas_open().map { String(cString: $0) }

    /// The core type whose kernels are in use, as OpenBLAS names it, for example `Haswell`.
    public static var coreName: String {
        _ = opened
        return String(cString: openblas_core())
    }

    /// The core type that is chosen where the environment leaves it open; nil: the library chooses.
    public static var preferredCoreName: String? {
        openblas_preferred_core().map { String(cString: $0) }
    }

    /// C += scaling · A B, all row-major.
    ///
    /// Runs on the calling thread alone unless asked otherwise, so that it does not compete with
    /// the worker pool.
    ///
    /// - Parameters:
    ///   - left: **Shape** [rowCount, innerCount].
    ///   - right: **Shape** [innerCount, columnCount].
    ///   - result: **Shape** [rowCount, columnCount].
    ///   - threadCount: threads of OpenBLAS during the call.
    public static func multiplyAdd(
        left: UnsafePointer<Float>, right: UnsafePointer<Float>,
        into result: UnsafeMutablePointer<Float>, rowCount: Int, columnCount: Int, innerCount: Int,
        scaling: Float, threadCount: Int = 1
    ) {
        guard rowCount > 0, columnCount > 0, innerCount > 0 else { return }
        withThreads(threadCount) {
            openblas_sgemm(
                blasint(rowCount), blasint(columnCount), blasint(innerCount), scaling, left,
                blasint(innerCount), right, blasint(columnCount), 1, result, blasint(columnCount))
        }
    }

    /// Calls `body` with threads of OpenBLAS's own; outside of it there is one.
    static func withThreads(_ count: Int, _ body: () -> Void) {
        _ = opened
        guard count > 1 else { return body() }
        openblas_use_threads(Int32(clamping: count))
        defer { openblas_use_threads(1) }
        body()
    }

    /// The library, open and on one thread.
    private static let opened: Void = {
        if let failure { preconditionFailure(failure) }
        openblas_use_threads(1)
    }()
}
