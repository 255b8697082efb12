internal import Kernels

/// A map M of single rows, linear but for mixtures of experts, in the cheapest exact form that an
/// adapter's method allows.
///
/// Where it attaches, `LinearOperator` says. Maps that stand for a change of a row hold the
/// difference to the identity, so that maps of several adapters add up. Its subclasses are all
/// here: a row runs through `add` alone, or among others with the same bits, so that they can't
/// depend on what shares the step.
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

    /// What makes of a row its part of the state that all rows of a call share, their mean; nil for
    /// maps whose rows have nothing to do with each other.
    var router: RowMap? { nil }

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

    /// Rows that cost less together; 1 where each is as well off alone.
    var groupRowCount: Int { 1 }

    /// The same for several rows, `groupRowCount` at most: each as it would be alone.
    func add(_ rows: RowGroup, scaledBy scale: Float, scratch: UnsafeMutablePointer<Float>) {
        for row in 0..<rows.rowCount {
            add(
                rows.input + row * rows.inputStride, scaledBy: scale,
                to: rows.output + row * rows.outputStride, scratch: scratch)
        }
    }

    /// Mᵀ; nil where it has no form that is cheaper than a matrix.
    var transposed: RowMap? { nil }

    /// The same for maps that take a state beside the row; others pass it over.
    ///
    /// - Parameter state: of the row, as its plan's companion left it, or of its call.
    func add(
        _ input: UnsafePointer<Float>, state: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        add(input, scaledBy: scale, to: output, scratch: scratch)
    }

    /// matrix += scale · M in f32.
    ///
    /// - Parameter matrix: **Shape** [outputCount, inputCount], row-major.
    func add(to matrix: UnsafeMutablePointer<Float>, scaledBy scale: Float, pool: WorkerPool?) {
        addColumns(scaledBy: scale, to: matrix, width: inputCount, pool: pool) { column, input in
            input.update(repeating: 0, count: inputCount)
            input[column] = 1
        }
    }

    /// result += scale · M V in f32.
    ///
    /// - Parameters:
    ///   - table: V, **shape** [inputCount, width], row-major.
    ///   - result: **Shape** [outputCount, width]; doesn't overlap `table`.
    func add(
        columnsOf table: UnsafePointer<Float>, width: Int, scaledBy scale: Float,
        to result: UnsafeMutablePointer<Float>, pool: WorkerPool?
    ) {
        addColumns(scaledBy: scale, to: result, width: width, pool: pool) { column, input in
            for k in 0..<inputCount { input[k] = table[k * width + column] }
        }
    }
}

/// Rows under one map, and where its outputs are added.
struct RowGroup {
    let input: UnsafePointer<Float>
    let inputStride: Int
    let output: UnsafeMutablePointer<Float>
    let outputStride: Int
    let rowCount: Int
}

extension AlignedBuffer<Float> {
    /// A copy of `values`.
    convenience init(copying values: [Float]) {
        self.init(count: max(1, values.count))
        for (index, value) in values.enumerated() { pointer[index] = value }
    }
}
