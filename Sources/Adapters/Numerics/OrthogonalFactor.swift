/// Q of A = Q U, with the signs that Householder's reflections give, as LAPACK's do: U's diagonal
/// has the opposite signs of what it was reflected from.
///
/// **Source**: Householder, Unitary Triangularization of a Nonsymmetric Matrix, 1958.
enum OrthogonalFactor {
    /// - Parameter matrix: **Shape** [rowCount, columnCount], row-major; rowCount ≥ columnCount.
    /// - Returns: the same shape.
    static func of(_ matrix: [Float], rowCount: Int, columnCount: Int) -> [Float] {
        let columns = Matrices.transposed(
            matrix, rowCount: rowCount
        ).map(Double.init)
        return Matrices.transposed(
            of(columns: columns, rowCount: rowCount).map { Float($0) }, rowCount: columnCount)
    }

    /// - Parameter columns: **Shape** [columnCount, rowCount]: one after the other.
    /// - Returns: the same shape.
    static func of(columns: [Double], rowCount: Int) -> [Double] {
        let columnCount = columns.count / rowCount
        var columns = columns
        var reflections: [[Double]] = []
        for index in 0..<columnCount {
            guard
                let reflection = reflection(
                    columns[index * rowCount + index..<(index + 1) * rowCount])
            else {
                reflections.append([])
                continue
            }
            for other in index..<columnCount {
                apply(reflection, to: &columns, at: other * rowCount + index)
            }
            reflections.append(reflection)
        }
        // Q is the reflections, last first, of the first columns of the identity.
        var result = [Double](repeating: 0, count: columns.count)
        for column in 0..<columnCount {
            result[column * rowCount + column] = 1
            for index in (0..<columnCount).reversed() {
                apply(reflections[index], to: &result, at: column * rowCount + index)
            }
        }
        return result
    }

    /// The unit vector v whose reflection 1 − 2 v vᵀ leaves of a column its first value alone; nil
    /// where it is alone already.
    private static func reflection(_ column: ArraySlice<Double>) -> [Double]? {
        var vector = Array(column)
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard vector.dropFirst().contains(where: { $0 != 0 }) else { return nil }
        vector[0] += vector[0] < 0 ? -length : length
        let own = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return vector.map { $0 / own }
    }

    private static func apply(_ vector: [Double], to values: inout [Double], at start: Int) {
        var sum = 0.0
        for (index, value) in vector.enumerated() { sum += value * values[start + index] }
        for (index, value) in vector.enumerated() { values[start + index] -= 2 * sum * value }
    }
}
