/// Rotations R = (1 − Q) (1 + Q)⁻¹ of skew-symmetric matrices Q = −Qᵀ.
///
/// **Source**: A. Cayley, "Sur quelques propriétés des déterminants gauches", 1846.
enum Cayley {
    /// Q from the values above its diagonal, row by row.
    ///
    /// - Parameter values: `size` · (`size` − 1) / 2 of them.
    /// - Returns: **Shape** [size, size], row-major.
    static func skew(above values: ArraySlice<Float>, size: Int) -> [Float] {
        var result = [Float](repeating: 0, count: size * size)
        var place = values.startIndex
        for row in 0..<size {
            for column in row + 1..<max(size, row + 1) {
                result[row * size + column] = values[place]
                result[column * size + row] = -values[place]
                place += 1
            }
        }
        return result
    }

    /// R in f32, computed in f64.
    ///
    /// 1 + Q has a positive definite symmetric part, the identity: elimination meets no zero pivot.
    ///
    /// - Parameter skew: Q, **shape** [size, size], row-major.
    /// - Complexity: O(size³)
    static func transform(_ skew: [Float], size: Int) -> [Float] {
        // Both factors are functions of Q, so that they commute: (1 + Q) R = 1 − Q.
        var left = skew.map(Double.init)
        var right = skew.map { -Double($0) }
        for i in 0..<size {
            left[i * size + i] += 1
            right[i * size + i] += 1
        }
        left.withUnsafeMutableBufferPointer { left in
            right.withUnsafeMutableBufferPointer { right in
                solve(left.baseAddress!, right.baseAddress!, size)
            }
        }
        return right.map { Float($0) }
    }

    /// right = left⁻¹ right; left ends as the identity.
    private static func solve(
        _ left: UnsafeMutablePointer<Double>, _ right: UnsafeMutablePointer<Double>, _ size: Int
    ) {
        for pivot in 0..<size {
            let inverse = 1 / left[pivot * size + pivot]
            for column in 0..<size {
                left[pivot * size + column] *= inverse
                right[pivot * size + column] *= inverse
            }
            for row in 0..<size where row != pivot {
                let factor = left[row * size + pivot]
                guard factor != 0 else { continue }
                for column in 0..<size {
                    left[row * size + column] -= factor * left[pivot * size + column]
                    right[row * size + column] -= factor * right[pivot * size + column]
                }
            }
        }
    }

    /// The first terms of R's series in −Q: 1 + 2 Q + 2 Q² + … + Qⁿ, as PEFT sums it: its last
    /// power counts once, and is the third at least.
    ///
    /// - Parameter skew: Q, **shape** [size, size], row-major.
    static func series(_ skew: [Float], size: Int, termCount: Int) -> [Float] {
        var sum = [Float](repeating: 0, count: size * size)
        for i in 0..<size { sum[i * size + i] = 1 }
        guard termCount > 1 else { return sum }
        add(skew, times: 2, to: &sum)
        guard termCount > 2 else { return sum }
        var power = product(skew, skew, size)
        add(power, times: 2, to: &sum)
        for _ in 3..<max(3, termCount - 1) {
            power = product(power, skew, size)
            add(power, times: 2, to: &sum)
        }
        add(product(power, skew, size), times: 1, to: &sum)
        return sum
    }

    private static func add(_ values: [Float], times factor: Float, to sum: inout [Float]) {
        for i in sum.indices { sum[i] += factor * values[i] }
    }

    private static func product(_ left: [Float], _ right: [Float], _ size: Int) -> [Float] {
        TunerCompiler.product(
            left, right, rowCount: size, columnCount: size, innerCount: size)
    }
}
