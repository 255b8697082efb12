import Kernels

/// M x = tile(Cᵀ f), f the sum of the pieces of x of equal length: every piece meets the same small
/// matrix.
///
/// A last piece that is shorter counts as filled with zeros. The product is repeated until it has
/// as many values as the output.
///
/// **Source**: MiSS, arXiv 2409.15371.
public final class FoldedMap: RowMap, @unchecked Sendable {
    /// C, **shape** [pieceLength, width]
    private let core: AlignedBuffer<Float>
    private let pieceLength: Int
    private let width: Int

    /// - Parameters:
    ///   - core: **Shape** [pieceLength, width], row-major.
    ///   - outputCount: a multiple of the width.
    public init(core: [Float], pieceLength: Int, inputCount: Int, outputCount: Int) {
        self.core = AlignedBuffer(copying: core)
        self.pieceLength = pieceLength
        width = core.count / pieceLength
        precondition(outputCount % width == 0)
        super.init(inputCount: inputCount, outputCount: outputCount)
    }

    public override var byteCount: Int { pieceLength * width * MemoryLayout<Float>.stride }
    override var scratchCount: Int { pieceLength + width }
    public override var productCount: Int { pieceLength * width }
    public override var form: String { "folded" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let (folded, product) = (scratch, scratch + pieceLength)
        folded.update(repeating: 0, count: pieceLength + width)
        for start in stride(from: 0, to: inputCount, by: pieceLength) {
            Vectors.add(
                input + start, to: folded, count: min(pieceLength, inputCount - start))
        }
        for i in 0..<pieceLength {
            Vectors.add(
                core.pointer + i * width, scaledBy: folded[i], to: product, count: width)
        }
        for start in stride(from: 0, to: outputCount, by: width) {
            Vectors.add(product, scaledBy: scale, to: output + start, count: width)
        }
    }

    override func add(
        to matrix: UnsafeMutablePointer<Float>, scaledBy scale: Float, pool: WorkerPool?
    ) {
        for output in 0..<outputCount {
            for input in 0..<inputCount {
                matrix[output * inputCount + input] +=
                    scale * core.pointer[input % pieceLength * width + output % width]
            }
        }
    }
}
