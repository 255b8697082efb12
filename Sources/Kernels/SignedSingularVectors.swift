internal import COpenBLAS

/// The first singular values of a matrix and their vectors, with the signs that torch gives them.
///
/// A decomposition leaves the sign of each pair of vectors open, and libraries differ in it by the
/// steps they take. oneMKL, which torch's packages for x86 hold, goes to two diagonals at once, but
/// for matrices of 1.5 rows a column or more by way of QR, and on by divide and conquer. The same
/// steps give the same signs, but for one that hangs on a rounding error: it changes with the least
/// change of the matrix, and is refused.
///
/// **Source**: LAPACK 3.12, `sgeqrf`, `sgebrd`, `sbdsdc`; their order as observed in torch 2.13's
/// `torch.linalg.svd` on a processor.
public struct SignedSingularVectors: Sendable {
    /// Uᵀ, one vector a row. **Shape**: [count, rowCount].
    public let left: [Float]
    /// Largest first. **Shape**: [count].
    public let values: [Float]
    /// Vᵀ. **Shape**: [count, columnCount].
    public let right: [Float]

    /// Why there is nothing to return.
    public enum Failure: Error, Equatable, Sendable {
        /// The iteration did not end, or values are not finite.
        case notConverged
        /// A side or the workspace is beyond LAPACK's 32-bit counts.
        case tooLarge
        /// The sign of this pair of vectors, counted from 0, hangs on a rounding error.
        case undeterminedSign(Int)
    }

    /// How often the matrix is changed to see whether signs stay.
    private static let trialCount = 2
    /// The share of each value by which it is changed: what rounding it may change.
    private static let change: Float = 0x1p-23
    /// The least cosine of two vectors that are the same one.
    private static let sameCosine: Float = 0.9

    /// - Parameters:
    ///   - matrix: **Shape** [rowCount, columnCount], row-major, both at least 1.
    ///   - count: how many values and pairs; at most the shorter side.
    ///   - threadCount: threads of OpenBLAS during the call; they are no threads of a worker pool.
    /// - Throws: `Failure`.
    /// - Complexity: O(rowCount · columnCount · the shorter side).
    public init(
        _ matrix: [Float], rowCount: Int, columnCount: Int, count: Int, threadCount: Int = 1
    ) throws(Failure) {
        precondition(matrix.count == rowCount * columnCount && !matrix.isEmpty)
        precondition((1...min(rowCount, columnCount)).contains(count))
        // LAPACK counts values and workspaces in 32 bits.
        guard blasint(exactly: 16 * (matrix.count + rowCount + columnCount)) != nil else {
            throw .tooLarge
        }
        let columns = Steps.transposed(matrix, rowCount: rowCount, columnCount: columnCount)
        func decompose(_ columns: [Float]) throws(Failure) -> Steps {
            var steps: Steps?
            BLAS.withThreads(threadCount) {
                steps = Steps(columns, rowCount: rowCount, columnCount: columnCount, count: count)
            }
            guard let steps else { throw .notConverged }
            return steps
        }
        let found = try decompose(columns)
        for trial in 1...Self.trialCount {
            let other = try decompose(Self.changed(columns, seed: UInt64(trial)))
            for index in 0..<count {
                let vector = index * rowCount..<(index + 1) * rowCount
                let cosine = zip(found.left[vector], other.left[vector])
                    .reduce(0) { $0 + $1.0 * $1.1 }
                guard cosine > Self.sameCosine else { throw .undeterminedSign(index) }
            }
        }
        (left, values, right) = (found.left, found.values, found.right)
    }

    /// Every value a little larger or smaller, as Marsaglia's generator decides (Xorshift RNGs,
    /// 2003).
    private static func changed(_ matrix: [Float], seed: UInt64) -> [Float] {
        var state = seed &* 0x9e37_79b9_7f4a_7c15
        return matrix.map {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return $0 * (state >> 63 == 0 ? 1 + change : 1 - change)
        }
    }
}

/// The steps of one decomposition, on matrices that lie by columns, as LAPACK has them.
private struct Steps {
    var left: [Float]
    var values: [Float]
    var right: [Float]

    /// Nil where LAPACK doesn't converge.
    init?(_ matrix: [Float], rowCount: Int, columnCount: Int, count: Int) {
        guard matrix.allSatisfy(\.isFinite) else { return nil }
        if 2 * rowCount >= 3 * columnCount {
            self.init(tall: matrix, rowCount, columnCount, count)
        } else {
            self.init(diagonals: matrix, rowCount, columnCount, count)
        }
    }

    /// A = Q R, then R by two diagonals.
    private init?(tall matrix: [Float], _ rowCount: Int, _ columnCount: Int, _ count: Int) {
        var matrix = matrix
        var reflections = [Float](repeating: 0, count: columnCount)
        var (rows, columns, vectors) = (blasint(rowCount), blasint(columnCount), blasint(count))
        guard
            Self.call({ work, workCount, info in
                openblas_sgeqrf(
                    &rows, &columns, &matrix, &rows, &reflections, work, workCount, info)
            })
        else { return nil }
        var triangle = [Float](repeating: 0, count: columnCount * columnCount)
        for column in 0..<columnCount {
            let start = column * rowCount
            triangle.replaceSubrange(
                column * columnCount...column * columnCount + column,
                with: matrix[start...start + column])
        }
        self.init(diagonals: triangle, columnCount, columnCount, count)
        left = Self.lengthened(left, from: columnCount, to: rowCount, count: count)
        guard
            Self.call({ work, workCount, info in
                openblas_sormqr(
                    "L", "N", &rows, &vectors, &columns, matrix, &rows, reflections, &left, &rows,
                    work, workCount, info, 1, 1)
            })
        else { return nil }
    }

    /// A = Q B Pᵀ, B of two diagonals, whose vectors divide and conquer finds.
    private init?(diagonals matrix: [Float], _ rowCount: Int, _ columnCount: Int, _ count: Int) {
        let shorter = min(rowCount, columnCount)
        var matrix = matrix
        var diagonal = [Float](repeating: 0, count: shorter)
        var (beside, rowReflections, columnReflections) = (diagonal, diagonal, diagonal)
        var (rows, columns, vectors) = (blasint(rowCount), blasint(columnCount), blasint(count))
        guard
            Self.call({ work, workCount, info in
                openblas_sgebrd(
                    &rows, &columns, &matrix, &rows, &diagonal, &beside, &rowReflections,
                    &columnReflections, work, workCount, info)
            })
        else { return nil }
        var inner = [Float](repeating: 0, count: shorter * shorter)
        var innerRight = inner
        var order = blasint(shorter)
        var work = [Float](repeating: 0, count: 3 * shorter * shorter + 4 * shorter)
        var integers = [blasint](repeating: 0, count: 8 * shorter)
        var info: blasint = 0
        openblas_sbdsdc(
            rowCount >= columnCount ? "U" : "L", "I", &order, &diagonal, &beside, &inner, &order,
            &innerRight, &order, nil, nil, &work, &integers, &info, 1, 1)
        guard info == 0 else { return nil }
        values = Array(diagonal[..<count])
        left = Self.lengthened(inner, from: shorter, to: rowCount, count: count)
        // As columns, its transpose: Vᵀ P becomes P V, with the vectors one behind the other.
        right = Self.lengthened(
            Self.transposed(innerRight, rowCount: shorter, columnCount: shorter), from: shorter,
            to: columnCount, count: count)
        guard
            Self.call({ work, workCount, info in
                openblas_sormbr(
                    "Q", "L", "N", &rows, &vectors, &columns, matrix, &rows, rowReflections, &left,
                    &rows, work, workCount, info, 1, 1, 1)
            }),
            Self.call({ work, workCount, info in
                openblas_sormbr(
                    "P", "L", "N", &columns, &vectors, &rows, matrix, &rows, columnReflections,
                    &right, &columns, work, workCount, info, 1, 1, 1)
            })
        else { return nil }
    }

    /// Calls a routine for the size of its workspace, then with one.
    private static func call(
        _ routine: (
            _ work: UnsafeMutablePointer<Float>, _ workCount: UnsafePointer<blasint>,
            _ info: UnsafeMutablePointer<blasint>
        ) -> Void
    ) -> Bool {
        var work: [Float] = [0]
        var info: blasint = 0
        var workCount: blasint = -1
        routine(&work, &workCount, &info)
        // The size comes back as a float, which may have been rounded down.
        guard info == 0, let size = blasint(exactly: (work[0] * 1.0001 + 64).rounded(.up)) else {
            return false
        }
        workCount = size
        work = [Float](repeating: 0, count: Int(size))
        routine(&work, &workCount, &info)
        return info == 0
    }

    /// The first `count` columns, with zeros behind their values.
    private static func lengthened(
        _ columns: [Float], from length: Int, to newLength: Int, count: Int
    ) -> [Float] {
        var result = [Float](repeating: 0, count: newLength * count)
        for index in 0..<count {
            result.replaceSubrange(
                index * newLength..<index * newLength + length,
                with: columns[index * length..<(index + 1) * length])
        }
        return result
    }

    /// - Parameter matrix: **Shape** [rowCount, columnCount], row-major.
    /// - Returns: the same by columns.
    static func transposed(_ matrix: [Float], rowCount: Int, columnCount: Int) -> [Float] {
        var result = [Float](repeating: 0, count: matrix.count)
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                result[column * rowCount + row] = matrix[row * columnCount + column]
            }
        }
        return result
    }
}
