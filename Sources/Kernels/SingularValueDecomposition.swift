internal import COpenBLAS

/// M = U diag(s) Vᵀ, thin: as many singular values as the shorter side has, largest first.
///
/// The signs of each pair of vectors are LAPACK's choice; products of the two don't depend on them.
///
/// **Source**: LAPACK's `sgesdd`, in OpenBLAS.
public struct SingularValueDecomposition: Sendable {
    /// U. **Shape**: [rowCount, count].
    public let left: [Float]
    /// s, largest first. **Shape**: [count].
    public let values: [Float]
    /// Vᵀ. **Shape**: [count, columnCount].
    public let right: [Float]
    public let rowCount: Int
    public let columnCount: Int

    /// How many singular values there are: the shorter side of the matrix.
    public var count: Int { values.count }

    /// Why a matrix has no decomposition here.
    public enum Failure: Error, Equatable, Sendable {
        /// The iteration did not end: values are not finite, or LAPACK gave up.
        case notConverged
        /// A side or the workspace is beyond LAPACK's 32-bit counts.
        case tooLarge
    }

    /// - Parameters:
    ///   - matrix: **Shape** [rowCount, columnCount], row-major, both at least 1.
    ///   - threadCount: threads of OpenBLAS during the call; they are no threads of a worker pool.
    /// - Throws: `Failure`.
    /// - Complexity: O(rowCount · columnCount · count).
    public init(
        _ matrix: [Float], rowCount: Int, columnCount: Int, threadCount: Int = 1
    ) throws(Failure) {
        precondition(matrix.count == rowCount * columnCount && !matrix.isEmpty)
        self.rowCount = rowCount
        self.columnCount = columnCount
        // LAPACK reads columns: it sees the transpose, so that its U is V here, and its Vᵀ is Uᵀ,
        // both laid out just as rows are wanted.
        let result = try BLAS.decompose(
            matrix, columnCount, rowCount, threadCount: threadCount)
        left = result.vt
        values = result.s
        right = result.u
    }

    /// U diag(s), its first `rank` columns. **Shape**: [rowCount, rank].
    public func scaledLeft(rank: Int) -> [Float] {
        precondition(rank <= count)
        var result = [Float](repeating: 0, count: rowCount * rank)
        for row in 0..<rowCount {
            for column in 0..<rank {
                result[row * rank + column] = left[row * count + column] * values[column]
            }
        }
        return result
    }

    /// The first `rank` rows of Vᵀ. **Shape**: [rank, columnCount].
    public func right(rank: Int) -> [Float] { Array(right[..<(rank * columnCount)]) }
}

extension BLAS {
    /// `sgesdd` of a matrix of m rows and n columns, stored by columns.
    fileprivate static func decompose(
        _ matrix: [Float], _ m: Int, _ n: Int, threadCount: Int
    ) throws(SingularValueDecomposition.Failure) -> (u: [Float], s: [Float], vt: [Float]) {
        let count = min(m, n)
        guard let rows = blasint(exactly: m), let columns = blasint(exactly: n),
            let rank = blasint(exactly: count), blasint(exactly: 8 * count) != nil
        else { throw .tooLarge }
        var matrix = matrix
        var u = [Float](repeating: 0, count: m * count)
        var s = [Float](repeating: 0, count: count)
        var vt = [Float](repeating: 0, count: count * n)
        var integers = [blasint](repeating: 0, count: 8 * count)
        var info: blasint = 0
        func call(_ work: inout [Float], _ workCount: blasint) {
            var (job, rows, columns, rank, workCount) = (
                CChar(UInt8(ascii: "S")), rows, columns, rank, workCount
            )
            openblas_sgesdd(
                &job, &rows, &columns, &matrix, &rows, &s, &u, &rows, &vt, &rank, &work,
                &workCount, &integers, &info, 1)
        }
        var size: [Float] = [0]
        withThreads(1) { call(&size, -1) }
        // The size comes back as a float, which may have been rounded down.
        guard let workCount = blasint(exactly: (size[0] * 1.0001 + 64).rounded(.up)) else {
            throw .tooLarge
        }
        var work = [Float](repeating: 0, count: Int(workCount))
        withThreads(threadCount) { call(&work, workCount) }
        guard info == 0 else { throw .notConverged }
        return (u, s, vt)
    }
}
