internal import COpenBLAS

/// Decompositions of matrices in double precision, by LAPACK, for loading and merging. All on the
/// calling thread.
public enum LinearAlgebra {
    /// C = A Aᵀ, with A widened first.
    ///
    /// - Parameter matrix: **Shape** [rowCount, columnCount], row-major.
    /// - Returns: **Shape** [rowCount, rowCount].
    public static func gramMatrix(
        _ matrix: [Float], rowCount: Int, columnCount: Int
    ) -> [Double] {
        precondition(matrix.count == rowCount * columnCount)
        let values = matrix.map(Double.init)
        return product(
            values, values, rowCount: rowCount, columnCount: rowCount, innerCount: columnCount,
            transposesRight: true)
    }

    /// C = A B, or A Bᵀ, all row-major.
    ///
    /// - Parameters:
    ///   - left: **Shape** [rowCount, innerCount].
    ///   - right: **Shape** [innerCount, columnCount]; transposed, [columnCount, innerCount].
    ///   - threadCount: threads of OpenBLAS during the call.
    /// - Returns: **Shape** [rowCount, columnCount].
    public static func product(
        _ left: [Double], _ right: [Double], rowCount: Int, columnCount: Int, innerCount: Int,
        transposesRight: Bool = false, threadCount: Int = 1
    ) -> [Double] {
        precondition(left.count == rowCount * innerCount)
        precondition(right.count == innerCount * columnCount)
        var result = [Double](repeating: 0, count: rowCount * columnCount)
        guard !result.isEmpty, innerCount > 0 else { return result }
        BLAS.withThreads(threadCount) {
            openblas_dgemm(
                transposesRight ? 1 : 0, blasint(rowCount), blasint(columnCount),
                blasint(innerCount), 1, left, blasint(innerCount), right,
                blasint(transposesRight ? innerCount : columnCount), 0, &result,
                blasint(columnCount))
        }
        return result
    }

    /// Eigenvalues, largest first, and their eigenvectors, whose signs mean nothing.
    ///
    /// **Complexity**: O(size³).
    ///
    /// - Parameter matrix: symmetric, **shape** [size, size].
    /// - Returns: vectors of **shape** [size, size], one a row; nil where LAPACK doesn't converge.
    public static func eigenvectors(
        _ matrix: [Double], size: Int
    ) -> (values: [Double], vectors: [Double])? {
        precondition(matrix.count == size * size)
        guard size > 0 else { return ([], []) }
        var vectors = matrix
        var values = [Double](repeating: 0, count: size)
        var work = [0.0]
        var integers: [blasint] = [0]
        var info: blasint = 0
        // Sizes of −1 ask how much room it needs.
        for asks in [true, false] {
            var order = blasint(size)
            var workCount = blasint(asks ? -1 : work.count)
            var integerCount = blasint(asks ? -1 : integers.count)
            BLAS.withThreads(1) {
                openblas_dsyevd(
                    "V", "U", &order, &vectors, &order, &values, &work, &workCount, &integers,
                    &integerCount, &info, 1, 1)
            }
            guard info == 0 else { return nil }
            guard asks else { break }
            work = [Double](repeating: 0, count: Int(work[0]))
            integers = [blasint](repeating: 0, count: Int(integers[0]))
        }
        // By columns, LAPACK's vectors are rows here; it has the smallest first.
        var descending: [Double] = []
        descending.reserveCapacity(vectors.count)
        for index in (0..<size).reversed() {
            descending += vectors[index * size..<(index + 1) * size]
        }
        return (values.reversed(), descending)
    }

    /// The eigenvectors with the smallest eigenvalues, in no order, of signs that mean nothing.
    ///
    /// **Complexity**: O(size³).
    ///
    /// - Parameter matrix: symmetric, **shape** [size, size].
    /// - Returns: **Shape** [count, size], one vector a row; nil where LAPACK doesn't converge.
    public static func smallestEigenvectors(
        _ matrix: [Double], size: Int, count: Int
    ) -> [Double]? {
        precondition(matrix.count == size * size && count <= size)
        guard count > 0 else { return [] }
        var matrix = matrix
        var vectors = [Double](repeating: 0, count: count * size)
        var values = [Double](repeating: 0, count: size)
        var supports = [blasint](repeating: 0, count: 2 * size)
        var work = [0.0]
        var integers: [blasint] = [0]
        var (found, info): (blasint, blasint) = (0, 0)
        // Sizes of −1 ask how much room it needs.
        for asks in [true, false] {
            var (order, first, last) = (blasint(size), blasint(1), blasint(count))
            var (lower, upper, tolerance) = (0.0, 0.0, 0.0)
            var workCount = blasint(asks ? -1 : work.count)
            var integerCount = blasint(asks ? -1 : integers.count)
            BLAS.withThreads(1) {
                openblas_dsyevr(
                    "V", "I", "U", &order, &matrix, &order, &lower, &upper, &first, &last,
                    &tolerance, &found, &values, &vectors, &order, &supports, &work, &workCount,
                    &integers, &integerCount, &info, 1, 1, 1)
            }
            guard info == 0 else { return nil }
            guard asks else { break }
            work = [Double](repeating: 0, count: Int(work[0]))
            integers = [blasint](repeating: 0, count: Int(integers[0]))
        }
        return Int(found) == count ? vectors : nil
    }

    /// X with X A = B.
    ///
    /// - Parameters:
    ///   - matrix: A, **shape** [size, size], row-major.
    ///   - rows: B, **shape** [rowCount, size], row-major.
    ///   - threadCount: threads of OpenBLAS during the call.
    /// - Returns: **Shape** [rowCount, size]; nil where A is singular.
    public static func solve(
        _ rows: [Double], dividedBy matrix: [Double], rowCount: Int, size: Int,
        threadCount: Int = 1
    ) -> [Double]? {
        precondition(matrix.count == size * size && rows.count == rowCount * size)
        // By columns, LAPACK sees Aᵀ Xᵀ = Bᵀ.
        var (factors, solution) = (matrix, rows)
        var exchanges = [blasint](repeating: 0, count: size)
        var order = blasint(size)
        var count = blasint(rowCount)
        var info: blasint = 0
        BLAS.withThreads(threadCount) {
            openblas_dgesv(&order, &count, &factors, &order, &exchanges, &solution, &order, &info)
        }
        return info == 0 ? solution : nil
    }
}
