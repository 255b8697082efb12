import Kernels

/// M = F_n … F_1 − 1 with factors of square blocks on the diagonal, between permutations: what
/// orthogonal methods do to a row.
///
/// **Source**: OFT, arXiv 2306.07280; BOFT's butterflies, arXiv 2311.06243.
public final class RotationMap: RowMap, @unchecked Sendable {
    /// y[outputs[i]] = (blocks · x[inputs])[i], or in place where there are no permutations.
    public struct Factor: Sendable {
        /// **Shape**: [blockCount, size, size], row-major, or one block for all places.
        let blocks: [Float]
        let size: Int
        /// Where each place takes its value from; nil: from itself.
        let inputs: [Int32]?
        /// Where each place's result goes; nil: to itself.
        let outputs: [Int32]?

        /// - Parameter blocks: **Shape** [blockCount, size, size], or [size, size] for a block
        ///   that all places share.
        public init(
            blocks: [Float], size: Int, inputs: [Int32]? = nil, outputs: [Int32]? = nil
        ) {
            self.blocks = blocks
            self.size = size
            self.inputs = inputs
            self.outputs = outputs
        }

        fileprivate var transposed: Factor {
            var turned = blocks
            for start in stride(from: 0, to: blocks.count, by: size * size) {
                for index in 0..<size * size {
                    turned[start + index % size * size + index / size] = blocks[start + index]
                }
            }
            return Factor(blocks: turned, size: size, inputs: outputs, outputs: inputs)
        }
    }

    private let factors: [Factor]
    private let matrices: [RowMatrix]

    /// - Parameters:
    ///   - width: of rows; a multiple of every factor's block size.
    ///   - factors: in order of application.
    public init(width: Int, factors: [Factor]) {
        self.factors = factors
        matrices = factors.map { factor in
            precondition(width % factor.size == 0)
            return RowMatrix(
                floats: factor.blocks,
                shape: LinearShape(
                    outputCount: factor.blocks.count / factor.size, inputCount: factor.size))
        }
        super.init(inputCount: width, outputCount: width)
    }

    public override var byteCount: Int { matrices.reduce(0) { $0 + $1.byteCount } }
    override var scratchCount: Int { 3 * inputCount }

    public override var productCount: Int {
        factors.reduce(0) { $0 + inputCount * $1.size }
    }

    public override var form: String { "block rotation" }

    override var transposed: RowMap? {
        RotationMap(width: inputCount, factors: factors.reversed().map(\.transposed))
    }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let (current, gathered, turned) = (
            scratch, scratch + inputCount, scratch + 2 * inputCount
        )
        current.update(from: input, count: inputCount)
        for (factor, matrix) in zip(factors, matrices) {
            apply(factor, matrix, current, gathered: gathered, turned: turned)
        }
        for i in 0..<inputCount { current[i] -= input[i] }
        Vectors.add(current, scaledBy: scale, to: output, count: inputCount)
    }

    private func apply(
        _ factor: Factor, _ matrix: RowMatrix, _ row: UnsafeMutablePointer<Float>,
        gathered: UnsafeMutablePointer<Float>, turned: UnsafeMutablePointer<Float>
    ) {
        if let inputs = factor.inputs {
            for i in 0..<inputCount { gathered[i] = row[Int(inputs[i])] }
        } else {
            gathered.update(from: row, count: inputCount)
        }
        let blockCount = inputCount / factor.size
        let storedCount = matrix.outputCount / factor.size
        for block in 0..<blockCount {
            let view = matrix.view.rows(
                (storedCount == 1 ? 0 : block * factor.size), count: factor.size)
            Vectors.multiply(
                view, gathered + block * factor.size, scaledBy: 1,
                output: turned + block * factor.size)
        }
        if let outputs = factor.outputs {
            for i in 0..<inputCount { row[Int(outputs[i])] = turned[i] }
        } else {
            row.update(from: turned, count: inputCount)
        }
    }
}
