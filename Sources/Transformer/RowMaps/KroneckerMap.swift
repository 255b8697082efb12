import Kernels

/// M = L ⊗ R: with x as a matrix X [L's inputs, R's inputs], M x is L X Rᵀ.
///
/// **Source**: LoKr, arXiv 2309.14859.
public final class KroneckerMap: RowMap, @unchecked Sendable {
    /// **Shape**: [leftOutputCount, leftInputCount]
    private let left: AlignedBuffer<Float>
    private let leftShape: LinearShape
    private let right: RowMatrix

    /// - Parameters:
    ///   - left: **Shape** `leftShape`, row-major.
    ///   - right: **Shape** `rightShape`, row-major.
    public init(left: [Float], leftShape: LinearShape, right: [Float], rightShape: LinearShape) {
        precondition(left.count == leftShape.outputCount * leftShape.inputCount)
        precondition(right.count == rightShape.outputCount * rightShape.inputCount)
        self.left = AlignedBuffer(copying: left)
        self.leftShape = leftShape
        self.right = RowMatrix(floats: right, shape: rightShape)
        super.init(
            inputCount: leftShape.inputCount * rightShape.inputCount,
            outputCount: leftShape.outputCount * rightShape.outputCount)
    }

    public override var byteCount: Int {
        leftShape.outputCount * leftShape.inputCount * MemoryLayout<Float>.stride + right.byteCount
    }

    override var scratchCount: Int { leftShape.inputCount * right.outputCount }

    public override var productCount: Int {
        leftShape.inputCount * right.outputCount * right.inputCount
            + leftShape.outputCount * leftShape.inputCount * right.outputCount
    }

    public override var form: String { "Kronecker" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let width = right.outputCount
        for row in 0..<leftShape.inputCount {
            Vectors.multiply(
                right.view, input + row * right.inputCount, scaledBy: scale,
                output: scratch + row * width)
        }
        for row in 0..<leftShape.outputCount {
            for column in 0..<leftShape.inputCount {
                Vectors.add(
                    scratch + column * width,
                    scaledBy: left.pointer[row * leftShape.inputCount + column],
                    to: output + row * width, count: width)
            }
        }
    }
}

extension RowMatrix {
    /// A matrix of floats, row-major.
    convenience init(floats: [Float], shape: LinearShape) {
        precondition(floats.count == shape.outputCount * shape.inputCount)
        let values = AlignedBuffer<Float>(copying: floats)
        self.init(
            copying: WeightMatrix(
                pointer: UnsafeRawPointer(values.pointer), type: .f32,
                outputCount: shape.outputCount, inputCount: shape.inputCount))
    }
}
