import Kernels

/// M = L ⊗ R: with x as a matrix X [L's inputs, R's inputs], M x is L X Rᵀ. R may be given as the
/// product of two matrices.
///
/// **Source**: LoKr, arXiv 2309.14859.
public final class KroneckerMap: RowMap, @unchecked Sendable {
    /// Values and their shape.
    public struct Matrix: Sendable {
        /// **Shape**: `shape`, row-major.
        public let values: [Float]
        public let shape: LinearShape

        public init(values: [Float], shape: LinearShape) {
            precondition(values.count == shape.outputCount * shape.inputCount)
            self.values = values
            self.shape = shape
        }
    }

    /// **Shape**: [leftOutputCount, leftInputCount]
    private let left: AlignedBuffer<Float>
    private let leftShape: LinearShape
    private let right: [RowMatrix]

    /// - Parameter right: one matrix, or the two of a product in order of application.
    public init(left: Matrix, right: [Matrix]) {
        precondition(right.count == 1 || right.count == 2)
        precondition(right.count == 1 || right[0].shape.outputCount == right[1].shape.inputCount)
        self.left = AlignedBuffer(copying: left.values)
        leftShape = left.shape
        self.right = right.map { RowMatrix(floats: $0.values, shape: $0.shape) }
        super.init(
            inputCount: leftShape.inputCount * right[0].shape.inputCount,
            outputCount: leftShape.outputCount * right[right.count - 1].shape.outputCount)
    }

    private var rightOutputCount: Int { right[right.count - 1].outputCount }

    public override var byteCount: Int {
        leftShape.outputCount * leftShape.inputCount * MemoryLayout<Float>.stride
            + right.reduce(0) { $0 + $1.byteCount }
    }

    override var scratchCount: Int {
        leftShape.inputCount * rightOutputCount + (right.count == 2 ? right[0].outputCount : 0)
    }

    public override var productCount: Int {
        leftShape.inputCount * right.reduce(0) { $0 + $1.outputCount * $1.inputCount }
            + leftShape.outputCount * leftShape.inputCount * rightOutputCount
    }

    public override var form: String { "Kronecker" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        let width = rightOutputCount
        let inner = scratch + leftShape.inputCount * width
        for row in 0..<leftShape.inputCount {
            var values = input + row * right[0].inputCount
            if right.count == 2 {
                Vectors.multiply(right[0].view, values, scaledBy: 1, output: inner)
                values = UnsafePointer(inner)
            }
            Vectors.multiply(
                right[right.count - 1].view, values, scaledBy: scale,
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

    override func add(
        to matrix: UnsafeMutablePointer<Float>, scaledBy scale: Float, pool: WorkerPool?
    ) {
        let inner = right[0].inputCount
        let factor = AlignedBuffer<Float>(count: rightOutputCount * inner)
        unpackRight(into: factor.pointer)
        for row in 0..<outputCount {
            let (block, own) = row.quotientAndRemainder(dividingBy: rightOutputCount)
            for column in 0..<leftShape.inputCount {
                Vectors.add(
                    factor.pointer + own * inner,
                    scaledBy: scale * left.pointer[block * leftShape.inputCount + column],
                    to: matrix + row * inputCount + column * inner, count: inner)
            }
        }
    }

    /// R, **shape** [its outputs, its inputs], added to zeros.
    private func unpackRight(into factor: UnsafeMutablePointer<Float>) {
        guard right.count == 2 else { return right[0].unpack(into: factor) }
        let (first, second) = (right[0], right[1])
        let a = AlignedBuffer<Float>(count: first.outputCount * first.inputCount)
        let b = AlignedBuffer<Float>(count: second.outputCount * second.inputCount)
        first.unpack(into: a.pointer)
        second.unpack(into: b.pointer)
        BLAS.multiplyAdd(
            left: b.pointer, right: a.pointer, into: factor, rowCount: second.outputCount,
            columnCount: first.inputCount, innerCount: first.outputCount, scaling: 1)
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
