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
    private let right: [PackedMatrix]

    /// - Parameter right: one matrix, or the two of a product in order of application.
    public init(left: Matrix, right: [Matrix]) {
        precondition(right.count == 1 || right.count == 2)
        precondition(right.count == 1 || right[0].shape.outputCount == right[1].shape.inputCount)
        self.left = AlignedBuffer(copying: left.values)
        leftShape = left.shape
        self.right = right.map { PackedMatrix(floats: $0.values, shape: $0.shape) }
        super.init(
            inputCount: leftShape.inputCount * right[0].shape.inputCount,
            outputCount: leftShape.outputCount * right[right.count - 1].shape.outputCount)
    }

    private var rightOutputCount: Int { right[right.count - 1].outputCount }

    public override var byteCount: Int {
        leftShape.outputCount * leftShape.inputCount * MemoryLayout<Float>.stride
            + right.reduce(0) { $0 + $1.byteCount }
    }

    /// X Rᵀ, the first of two products on the way there, and the last product's own.
    override var scratchCount: Int {
        leftShape.inputCount * right.reduce(0) { $0 + Vectors.paddedCount($1.outputCount) }
            + Vectors.productScratchCount
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
        let rowCount = leftShape.inputCount
        let turnedCount = rowCount * Vectors.paddedCount(rightOutputCount)
        var (values, stride) = (input, right[0].inputCount)
        var free = scratch + turnedCount
        if right.count == 2 {
            Vectors.multiply(
                right[0].view, values, inputStride: stride, rowCount: rowCount, output: free,
                isPacked: false)
            (values, stride) = (UnsafePointer(free), Vectors.paddedCount(right[0].outputCount))
            free += rowCount * stride
        }
        Vectors.multiply(
            right[right.count - 1].view, values, inputStride: stride, rowCount: rowCount,
            output: scratch, isPacked: true)
        if scale != 1 { Vectors.scale(scratch, by: scale, count: turnedCount) }
        Vectors.addProduct(
            packed: scratch, outputCount: rightOutputCount, inputCount: rowCount,
            rows: left.pointer, rowCount: leftShape.outputCount, to: output, scratch: free)
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
        guard right.count == 2 else { return right[0].unpack(into: factor, pool: nil) }
        let (first, second) = (right[0], right[1])
        let a = AlignedBuffer<Float>(count: first.outputCount * first.inputCount)
        let b = AlignedBuffer<Float>(count: second.outputCount * second.inputCount)
        first.unpack(into: a.pointer, pool: nil)
        second.unpack(into: b.pointer, pool: nil)
        BLAS.multiplyAdd(
            left: b.pointer, right: a.pointer, into: factor, rowCount: second.outputCount,
            columnCount: first.inputCount, innerCount: first.outputCount, scaling: 1)
    }
}

extension PackedMatrix {
    /// A matrix of floats, given row-major.
    convenience init(floats: [Float], shape: LinearShape) {
        let values = AlignedBuffer<Float>(copying: floats)
        self.init(packing: WeightMatrix(values, shape), pool: nil)
        withExtendedLifetime(values) {}
    }
}

extension RowMatrix {
    /// A matrix of floats, row-major.
    convenience init(floats: [Float], shape: LinearShape) {
        let values = AlignedBuffer<Float>(copying: floats)
        self.init(copying: WeightMatrix(values, shape))
        withExtendedLifetime(values) {}
    }
}

extension WeightMatrix {
    /// Floats as a matrix; valid as long as the buffer.
    fileprivate init(_ values: AlignedBuffer<Float>, _ shape: LinearShape) {
        precondition(values.count == shape.outputCount * shape.inputCount)
        self.init(
            pointer: UnsafeRawPointer(values.pointer), type: .f32,
            outputCount: shape.outputCount, inputCount: shape.inputCount)
    }
}
