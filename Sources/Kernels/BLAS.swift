internal import COpenBLAS
import Glibc

/// The linear algebra of loading and merging, by OpenBLAS.
///
/// OpenBLAS chooses its kernels while the process is loaded, before any code of ours runs, so its
/// choice can only be changed from outside: version 0.3.21 takes an AMD core newer than itself for
/// Haswell, which halves its speed, and `OPENBLAS_CORETYPE=SkylakeX` in the environment corrects
/// that on a core with AVX-512. Serving does not depend on it: steps use kernels of our own.
public enum BLAS {
    /// C += scaling · A B, all row-major.
    ///
    /// Runs on the calling thread alone unless asked otherwise, so that it does not compete with the
    /// worker pool.
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
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(rowCount), blasint(columnCount),
                blasint(innerCount), scaling, left, blasint(innerCount), right,
                blasint(columnCount), 1, result, blasint(columnCount))
        }
    }

    /// Calls `body` with threads of OpenBLAS's own; outside of it there is one.
    static func withThreads(_ count: Int, _ body: () -> Void) {
        _ = singleThreaded
        guard count > 1 else { return body() }
        openblas_set_num_threads(Int32(clamping: count))
        defer { openblas_set_num_threads(1) }
        body()
    }

    private static let singleThreaded: Void = openblas_set_num_threads(1)
}
