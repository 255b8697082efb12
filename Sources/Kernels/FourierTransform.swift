internal import CKernels
internal import Glibc

/// X[f] = Σ_t x[t] e^(−2πi f t / n) of complex values, for any n.
///
/// n = rows · columns, as equal as its factors allow: x stands as a matrix [rows, columns] whose columns
/// are transformed, turned, transposed, and transformed again. So the innermost loops always have
/// neighbours, a whole row of them, which stages from end to end of n would not.
///
/// **Complexity**: O(n Σ p) for the factors p of n: 4, then primes.
/// **Source**: Bailey, FFTs in External or Hierarchical Memory, 1990; its four steps.
public struct FourierTransform: Sendable {
    public let count: Int
    private let rowCount: Int
    private let columnCount: Int
    /// Of the columns, then of what were the rows.
    private let stages: [Stage]
    /// Stages before the matrix is transposed.
    private let firstCount: Int
    /// Turns of place [row, column]: cosines [count], then sines.
    private let turns: [Float]

    fileprivate struct Stage: Sendable {
        let factor: Int
        let length: Int
        let rest: Int
        let turns: [Float]
        let roots: [Float]
    }

    /// - Parameter count: n, at least 1.
    public init(count: Int) {
        precondition(count >= 1)
        self.count = count
        let factors = Self.factors(of: count)
        columnCount = Self.share(of: factors, count: count)
        rowCount = count / columnCount
        let first = Self.stages(rowCount, width: columnCount)
        stages = first + Self.stages(columnCount, width: rowCount)
        firstCount = first.count
        let columns = columnCount
        turns = Self.turns((0..<count).map { ($0 / columns) * ($0 % columns) }, of: count)
    }

    /// Floats that `run` needs for itself.
    public var scratchCount: Int { 2 * count }

    /// Multiplications and additions, halved.
    public var productCount: Int {
        stages.reduce(count > 1 ? 4 * count : 0) { $0 + Self.productCount($1.factor) * count }
    }

    /// For one value of a stage.
    private static func productCount(_ factor: Int) -> Int { factor <= 4 ? 5 : 2 * factor }

    /// - Parameters:
    ///   - real: **Shape** [count]; so are all others.
    ///   - outputReal: overlaps no other.
    ///   - scratch: `scratchCount` floats with any content.
    public func run(
        _ real: UnsafePointer<Float>, _ imaginary: UnsafePointer<Float>,
        _ outputReal: UnsafeMutablePointer<Float>, _ outputImaginary: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let hasTurn = rowCount > 1 && columnCount > 1
        var stepsLeft = stages.count + (hasTurn ? 1 : 0)
        guard stepsLeft > 0 else {
            outputReal.update(from: real, count: count)
            return outputImaginary.update(from: imaginary, count: count)
        }
        var from = (real: real, imaginary: imaginary)
        // Places take turns so that the last step ends in the output.
        func step(
            _ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void
        ) {
            stepsLeft -= 1
            let to =
                stepsLeft % 2 == 0
                ? (outputReal, outputImaginary) : (scratch, scratch + count)
            body(to.0, to.1)
            from = (UnsafePointer(to.0), UnsafePointer(to.1))
        }
        for (index, stage) in stages.enumerated() {
            if hasTurn, index == firstCount { step { turn(from, to: $0, $1) } }
            step { stage.run(from, to: $0, $1) }
        }
    }

    /// Turns each place and transposes.
    private func turn(
        _ from: (real: UnsafePointer<Float>, imaginary: UnsafePointer<Float>),
        to real: UnsafeMutablePointer<Float>, _ imaginary: UnsafeMutablePointer<Float>
    ) {
        turns.withUnsafeBufferPointer { turns in
            let (cosines, sines) = (turns.baseAddress!, turns.baseAddress! + count)
            for row in 0..<rowCount {
                for column in 0..<columnCount {
                    let (source, target) = (row * columnCount + column, column * rowCount + row)
                    let (x, y) = (from.real[source], from.imaginary[source])
                    real[target] = cosines[source] * x + sines[source] * y
                    imaginary[target] = cosines[source] * y - sines[source] * x
                }
            }
        }
    }

    /// Stages of transforms of `count` values each, `width` of them side by side.
    private static func stages(_ count: Int, width: Int) -> [Stage] {
        var length = 1
        return factors(of: count).map { factor in
            defer { length *= factor }
            let places = (0..<length * factor).map { $0 / factor * ($0 % factor) }
            return Stage(
                factor: factor, length: length, rest: count / length / factor * width,
                turns: turns(places, of: length * factor),
                roots: turns(Array(0..<factor), of: factor))
        }
    }

    /// Cosines of 2π k / n for each k, then sines.
    private static func turns(_ places: [Int], of count: Int) -> [Float] {
        let angles = places.map { 2 * Double.pi * Double($0 % count) / Double(count) }
        return angles.map { Float(cos($0)) } + angles.map { Float(sin($0)) }
    }

    /// The product of some factors that is nearest to the root of their product.
    private static func share(of factors: [Int], count: Int) -> Int {
        var products: Set<Int> = [1]
        for factor in factors { products.formUnion(products.map { $0 * factor }) }
        let root = Double(count).squareRoot()
        func distance(_ product: Int) -> Double { abs(log(Double(product) / root)) }
        return products.min { (distance($0), $0) < (distance($1), $1) } ?? 1
    }

    /// Fours, then primes.
    private static func factors(of count: Int) -> [Int] {
        var (rest, factors, factor) = (count, [Int](), 2)
        while rest % 4 == 0 {
            factors.append(4)
            rest /= 4
        }
        while rest > 1 {
            if factor * factor > rest { factor = rest }
            while rest % factor == 0 {
                factors.append(factor)
                rest /= factor
            }
            factor += 1
        }
        return factors
    }
}

extension FourierTransform.Stage {
    fileprivate func run(
        _ from: (real: UnsafePointer<Float>, imaginary: UnsafePointer<Float>),
        to real: UnsafeMutablePointer<Float>, _ imaginary: UnsafeMutablePointer<Float>
    ) {
        turns.withUnsafeBufferPointer { turns in
            roots.withUnsafeBufferPointer { roots in
                var stage = gk_fourier_stage()
                stage.factor = factor
                stage.length = length
                stage.rest = rest
                stage.turns = turns.baseAddress
                stage.roots = roots.baseAddress
                stage.real = from.real
                stage.imaginary = from.imaginary
                stage.to_real = real
                stage.to_imaginary = imaginary
                gk_fourier_stage_run(&stage)
            }
        }
    }
}
