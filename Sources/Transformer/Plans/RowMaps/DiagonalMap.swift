import Kernels

/// M x = d ⊙ x: factors of single features.
///
/// **Source**: (IA)³, arXiv 2205.05638; the magnitudes of DoRA, arXiv 2402.09353.
public final class DiagonalMap: RowMap, @unchecked Sendable {
    private let diagonal: AlignedBuffer<Float>

    /// - Parameter diagonal: of a change of rows: the factors less 1.
    public init(_ diagonal: [Float]) {
        self.diagonal = AlignedBuffer(copying: diagonal)
        super.init(inputCount: diagonal.count, outputCount: diagonal.count)
    }

    public override var byteCount: Int { inputCount * MemoryLayout<Float>.stride }
    public override var productCount: Int { inputCount }
    public override var form: String { "diagonal" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        Vectors.add(
            input, times: diagonal.pointer, scaledBy: scale, to: output, count: inputCount)
    }

    override var transposed: RowMap? { self }

    override func add(
        columnsOf table: UnsafePointer<Float>, width: Int, scaledBy scale: Float,
        to result: UnsafeMutablePointer<Float>, pool: WorkerPool?
    ) {
        for row in 0..<outputCount {
            Vectors.add(
                table + row * width, scaledBy: scale * diagonal.pointer[row],
                to: result + row * width, count: width)
        }
    }

    override func add(
        to matrix: UnsafeMutablePointer<Float>, scaledBy scale: Float, pool: WorkerPool?
    ) {
        for k in 0..<inputCount { matrix[k * inputCount + k] += scale * diagonal.pointer[k] }
    }
}
