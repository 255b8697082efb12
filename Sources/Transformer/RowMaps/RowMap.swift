internal import Kernels

/// A map M of single rows, linear but for bottlenecks, in the cheapest exact form that an adapter's method allows.
///
/// Where it attaches, `LinearOperator` says. Maps that stand for a change of a row hold the
/// difference to the identity, so that maps of several adapters add up. Its subclasses are all here:
/// a row runs through `add` alone, so its bits can't depend on what shares the step.
public class RowMap: @unchecked Sendable {
    public let inputCount: Int
    public let outputCount: Int

    init(inputCount: Int, outputCount: Int) {
        self.inputCount = inputCount
        self.outputCount = outputCount
    }

    /// False where M is no matrix, so that it can't become part of the weights.
    public var isLinear: Bool { true }
    /// Bytes of its values.
    public var byteCount: Int { 0 }
    /// Floats that `add` needs for itself.
    var scratchCount: Int { 0 }
    /// Multiplications and additions of one row, halved: what it costs.
    public var productCount: Int { 0 }
    /// The method's form in listings, for example "diagonal".
    public var form: String { "" }

    /// output += scale · M input
    ///
    /// - Parameters:
    ///   - input: **Shape** [inputCount].
    ///   - output: **Shape** [outputCount]; doesn't overlap `input`.
    ///   - scratch: `scratchCount` floats with any content.
    func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {}

    /// matrix += scale · M in f32.
    ///
    /// - Parameter matrix: **Shape** [outputCount, inputCount], row-major.
    func add(to matrix: UnsafeMutablePointer<Float>, scaledBy scale: Float) {
        var unit = [Float](repeating: 0, count: inputCount)
        var column = [Float](repeating: 0, count: outputCount)
        var scratch = [Float](repeating: 0, count: max(1, scratchCount))
        for k in 0..<inputCount {
            unit[k] = 1
            for o in 0..<outputCount { column[o] = 0 }
            column.withUnsafeMutableBufferPointer { output in
                scratch.withUnsafeMutableBufferPointer {
                    add(unit, scaledBy: scale, to: output.baseAddress!, scratch: $0.baseAddress!)
                }
            }
            unit[k] = 0
            for o in 0..<outputCount { matrix[o * inputCount + k] += column[o] }
        }
    }

    /// result += scale · M r for each row r of a table.
    ///
    /// - Parameters:
    ///   - table: **Shape** [rowCount, inputCount].
    ///   - result: **Shape** [rowCount, outputCount]; doesn't overlap `table`.
    func add(
        rowsOf table: UnsafePointer<Float>, rowCount: Int, scaledBy scale: Float,
        to result: UnsafeMutablePointer<Float>
    ) {
        let scratch = AlignedBuffer<Float>(count: max(1, scratchCount))
        for row in 0..<rowCount {
            add(
                table + row * inputCount, scaledBy: scale, to: result + row * outputCount,
                scratch: scratch.pointer)
        }
    }
}

extension AlignedBuffer<Float> {
    /// A copy of `values`.
    convenience init(copying values: [Float]) {
        self.init(count: max(1, values.count))
        for (index, value) in values.enumerated() { pointer[index] = value }
    }
}
