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

    /// result += scale · V M
    ///
    /// - Parameter matrix: V, **shape** [rowCount, inputCount].
    func add(
        columnsOf matrix: UnsafePointer<Float>, rowCount: Int, scaledBy scale: Float,
        to result: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<rowCount {
            Vectors.add(
                matrix + row * inputCount, times: diagonal.pointer, scaledBy: scale,
                to: result + row * inputCount, count: inputCount)
        }
    }

    /// result += scale · M V
    ///
    /// - Parameter matrix: V, **shape** [outputCount, width].
    func add(
        rowsOf matrix: UnsafePointer<Float>, width: Int, scaledBy scale: Float,
        to result: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<outputCount {
            Vectors.add(
                matrix + row * width, scaledBy: scale * diagonal.pointer[row],
                to: result + row * width, count: width)
        }
    }

    override func add(to matrix: UnsafeMutablePointer<Float>, scaledBy scale: Float) {
        for k in 0..<inputCount { matrix[k * inputCount + k] += scale * diagonal.pointer[k] }
    }
}
