import Kernels

/// M x = Σ_e g_e B_e A x, where g is the mean of softmax(R A x) over all rows of a call: what a
/// model is given at once, be it a prompt or the next token.
///
/// **Source**: Lily, arXiv 2407.09946; PEFT 0.21.
public final class CallMap: RowMap, @unchecked Sendable {
    private let a: RowMatrix
    /// Of each expert its Bᵀ, **shape** [experts, rank, outputCount].
    private let transposedB: AlignedBuffer<Float>
    private let rows: RouterMap

    /// - Parameters:
    ///   - a: **Shape** [rank, inputCount], row-major.
    ///   - transposedB: **Shape** [experts, rank, outputCount], row-major.
    ///   - router: R, **shape** [experts, rank], row-major.
    public init(a: [Float], transposedB: [Float], router: [Float], rank: Int) {
        let expertCount = router.count / rank
        let a = RowMatrix(
            floats: a, shape: LinearShape(outputCount: rank, inputCount: a.count / rank))
        self.a = a
        self.transposedB = AlignedBuffer(copying: transposedB)
        rows = RouterMap(
            a: a,
            router: RowMatrix(
                floats: router, shape: LinearShape(outputCount: expertCount, inputCount: rank)))
        super.init(
            inputCount: a.inputCount, outputCount: transposedB.count / (expertCount * rank))
    }

    public override var isLinear: Bool { false }
    override var router: RowMap? { rows }
    private var rank: Int { a.outputCount }
    private var expertCount: Int { rows.outputCount }

    public override var byteCount: Int {
        rows.byteCount + transposedB.count * MemoryLayout<Float>.stride
    }
    public override var productCount: Int {
        rows.productCount + rank * (inputCount + expertCount * outputCount)
    }
    public override var form: String { "experts by call" }
    override var scratchCount: Int { rank }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        preconditionFailure("a row without its call")
    }

    override func add(
        _ input: UnsafePointer<Float>, state: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        Vectors.multiply(a.view, input, scaledBy: scale, output: scratch)
        for expert in 0..<expertCount {
            for i in 0..<rank {
                Vectors.add(
                    transposedB.pointer + (expert * rank + i) * outputCount,
                    scaledBy: state[expert] * scratch[i], to: output, count: outputCount)
            }
        }
    }
}

/// x ↦ softmax(R A x)
private final class RouterMap: RowMap, @unchecked Sendable {
    private let a: RowMatrix
    private let matrix: RowMatrix

    init(a: RowMatrix, router: RowMatrix) {
        self.a = a
        matrix = router
        super.init(inputCount: a.inputCount, outputCount: router.outputCount)
    }

    override var isLinear: Bool { false }
    override var byteCount: Int { a.byteCount + matrix.byteCount }
    override var scratchCount: Int { a.outputCount + outputCount }
    override var productCount: Int { a.outputCount * (inputCount + outputCount) }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let scores = scratch + a.outputCount
        Vectors.multiply(a.view, input, scaledBy: 1, output: scratch)
        Vectors.multiply(matrix.view, scratch, scaledBy: 1, output: scores)
        let largest = scores[Vectors.indexOfMaximum(scores, count: outputCount)]
        let sum = Vectors.exponentials(scores, minus: largest, count: outputCount)
        Vectors.add(scores, scaledBy: scale / sum, to: output, count: outputCount)
    }
}
