import Kernels

/// M = B A of low rank, for single rows: what reflections change of a row, for example.
///
/// **Source**: HRA, arXiv 2405.17484: a product of r Householder reflections less the identity has
/// rank r.
public final class LowRankMap: RowMap, @unchecked Sendable {
    private let a: RowMatrix
    /// Bᵀ, **shape** [rank, outputCount]
    private let transposedB: AlignedBuffer<Float>

    /// - Parameters:
    ///   - a: **Shape** [rank, inputCount], row-major.
    ///   - transposedB: **Shape** [rank, outputCount], row-major.
    public init(a: [Float], transposedB: [Float], rank: Int) {
        let shape = LinearShape(outputCount: rank, inputCount: a.count / rank)
        self.a = RowMatrix(floats: a, shape: shape)
        self.transposedB = AlignedBuffer(copying: transposedB)
        super.init(inputCount: shape.inputCount, outputCount: transposedB.count / rank)
    }

    private var rank: Int { a.outputCount }

    public override var byteCount: Int {
        (inputCount + outputCount) * rank * MemoryLayout<Float>.stride
    }

    override var scratchCount: Int { rank }
    public override var productCount: Int { (inputCount + outputCount) * rank }
    public override var form: String { "low rank" }

    override var transposed: RowMap? {
        var rows = [Float](repeating: 0, count: rank * inputCount)
        rows.withUnsafeMutableBufferPointer { a.unpack(into: $0.baseAddress!) }
        let columns = Array(
            UnsafeBufferPointer(start: transposedB.pointer, count: rank * outputCount))
        return LowRankMap(a: columns, transposedB: rows, rank: rank)
    }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        Vectors.multiply(a.view, input, scaledBy: scale, output: scratch)
        for i in 0..<rank {
            Vectors.add(
                transposedB.pointer + i * outputCount, scaledBy: scratch[i], to: output,
                count: outputCount)
        }
    }
}
