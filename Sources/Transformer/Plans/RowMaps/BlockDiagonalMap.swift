import Kernels

/// Blocks of one shape along the diagonal of M, whose outputs may be put in another order.
///
/// **Source**: the two factors of GraLoRA, arXiv 2505.20355.
public final class BlockDiagonalMap: RowMap, @unchecked Sendable {
    private let blocks: RowMatrix
    private let blockCount: Int
    private let blockShape: LinearShape
    /// Where each value goes; nil: to its own place.
    private let places: [Int32]?

    /// - Parameters:
    ///   - blocks: **Shape** [blockCount, outputs of a block, inputs of a block], row-major.
    ///   - places: a permutation of the outputs: where each goes.
    public init(blocks: [Float], blockCount: Int, blockShape: LinearShape, places: [Int32]? = nil) {
        let outputCount = blockCount * blockShape.outputCount
        precondition(places?.count ?? outputCount == outputCount)
        self.blocks = RowMatrix(
            floats: blocks,
            shape: LinearShape(outputCount: outputCount, inputCount: blockShape.inputCount))
        self.blockCount = blockCount
        self.blockShape = blockShape
        self.places = places
        super.init(inputCount: blockCount * blockShape.inputCount, outputCount: outputCount)
    }

    public override var byteCount: Int { blocks.byteCount + 4 * (places?.count ?? 0) }
    override var scratchCount: Int { outputCount }
    public override var productCount: Int { outputCount * blockShape.inputCount }
    public override var form: String { "block diagonal" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let height = blockShape.outputCount
        for block in 0..<blockCount {
            Vectors.multiply(
                blocks.view.rows(block * height, count: height),
                input + block * blockShape.inputCount, scaledBy: scale,
                output: scratch + block * height)
        }
        if let places {
            for index in 0..<outputCount { output[Int(places[index])] += scratch[index] }
        } else {
            Vectors.add(scratch, to: output, count: outputCount)
        }
    }
}
