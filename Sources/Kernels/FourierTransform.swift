internal import CKernels
internal import Glibc

/// X[f] = Σ_t x[t] e^(−2πi f t / n) of complex values, for any n.
///
/// n = rows · columns, as equal as its factors allow: x stands as a matrix [rows, columns] whose
/// columns are transformed, turned, transposed, and transformed again. So the innermost loops
/// always have neighbours, a whole row of them, which stages from end to end of n would not.
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
    /// Cosines and sines of the stages, then those of place [row, column].
    private let tables: AlignedBuffer<Float>
    private let turnsStart: Int

    /// Plain numbers, so that a transform counts no references.
    fileprivate struct Stage: BitwiseCopyable {
        let factor: Int
        let length: Int
        let rest: Int
        /// Where the tables have its turns and roots.
        let turns: Int
        let roots: Int
    }

    /// - Parameter count: n, at least 1.
    public init(count: Int) {
        precondition(count >= 1)
        self.count = count
        let factors = Self.factors(of: count)
        let columns = Self.share(of: factors, count: count)
        columnCount = columns
        rowCount = count / columns
        var values: [Float] = []
        let first = Self.stages(rowCount, width: columns, &values)
        stages = first + Self.stages(columns, width: rowCount, &values)
        firstCount = first.count
        turnsStart = values.count
        values += Self.turns((0..<count).map { ($0 / columns) * ($0 % columns) }, of: count)
        tables = AlignedBuffer(count: values.count)
        tables.pointer.update(from: values, count: values.count)
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
        let stepCount = stages.count + (hasTurn ? 1 : 0)
        guard stepCount > 0 else {
            outputReal.update(from: real, count: count)
            return outputImaginary.update(from: imaginary, count: count)
        }
        var from = (real: real, imaginary: imaginary)
        for step in 0..<stepCount {
            // Places take turns so that the last step ends in the output.
            let endsInOutput = (stepCount - step) % 2 == 1
            let to =
                endsInOutput ? (outputReal, outputImaginary) : (scratch, scratch + count)
            if hasTurn, step == firstCount {
                turn(from, to: to)
            } else {
                let index = hasTurn && step > firstCount ? step - 1 : step
                run(stages[index], from, to: to)
            }
            from = (UnsafePointer(to.0), UnsafePointer(to.1))
        }
    }

    private typealias Values = (real: UnsafePointer<Float>, imaginary: UnsafePointer<Float>)
    private typealias Places = (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>)

    private func run(_ stage: Stage, _ from: Values, to places: Places) {
        var arguments = gk_fourier_stage()
        arguments.factor = stage.factor
        arguments.length = stage.length
        arguments.rest = stage.rest
        arguments.turns = UnsafePointer(tables.pointer + stage.turns)
        arguments.roots = UnsafePointer(tables.pointer + stage.roots)
        arguments.real = from.real
        arguments.imaginary = from.imaginary
        arguments.to_real = places.0
        arguments.to_imaginary = places.1
        gk_fourier_stage_run(&arguments)
    }

    /// Turns each place and transposes.
    private func turn(_ from: Values, to places: Places) {
        var arguments = gk_fourier_turn()
        arguments.rows = rowCount
        arguments.columns = columnCount
        arguments.turns = UnsafePointer(tables.pointer + turnsStart)
        arguments.real = from.real
        arguments.imaginary = from.imaginary
        arguments.to_real = places.0
        arguments.to_imaginary = places.1
        gk_fourier_turn_run(&arguments)
    }

    /// Stages of transforms of `count` values each, `width` of them side by side.
    ///
    /// - Parameter tables: their turns and roots are added to these.
    private static func stages(
        _ count: Int, width: Int, _ tables: inout [Float]
    ) -> [Stage] {
        var stages: [Stage] = []
        var length = 1
        for factor in factors(of: count) {
            let places = (0..<length * factor).map { $0 / factor * ($0 % factor) }
            let start = tables.count
            tables += turns(places, of: length * factor)
            stages.append(
                Stage(
                    factor: factor, length: length, rest: count / length / factor * width,
                    turns: start, roots: tables.count))
            tables += turns(Array(0..<factor), of: factor)
            length *= factor
        }
        return stages
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
