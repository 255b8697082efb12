internal import CKernels

/// A matrix given by its values that aren't zero.
public final class SparseMatrix: Sendable {
    public let outputCount: Int
    public let inputCount: Int
    /// Output o has the values starts[o] ..< starts[o + 1].
    private let starts: AlignedBuffer<Int32>
    private let columns: AlignedBuffer<Int32>
    private let values: AlignedBuffer<Float>

    /// - Parameter entries: sorted by output; entries of one place add up.
    public init(
        outputCount: Int, inputCount: Int, entries: [(output: Int, input: Int, value: Float)]
    ) {
        self.outputCount = outputCount
        self.inputCount = inputCount
        starts = AlignedBuffer(count: outputCount + 1)
        columns = AlignedBuffer(count: max(1, entries.count))
        values = AlignedBuffer(count: max(1, entries.count))
        starts.pointer.update(repeating: 0, count: outputCount + 1)
        var last = 0
        for (index, entry) in entries.enumerated() {
            precondition(entry.output >= last && entry.output < outputCount)
            precondition(entry.input >= 0 && entry.input < inputCount)
            last = entry.output
            starts.pointer[entry.output + 1] += 1
            columns.pointer[index] = Int32(entry.input)
            values.pointer[index] = entry.value
        }
        for o in 0..<outputCount { starts.pointer[o + 1] += starts.pointer[o] }
    }

    public var valueCount: Int { Int(starts.pointer[outputCount]) }
    public var byteCount: Int { valueCount * 8 + (outputCount + 1) * 4 }

    /// Rows that `add` takes at most.
    public static let maximumRowCount = Int(GK_SPARSE_ROWS)

    /// Floats that `add` needs for several rows.
    public var scratchCount: Int { inputCount * Self.maximumRowCount }

    /// output[r, o] += scale · Σ values · input[r]
    ///
    /// A row has the same bits alone and among others.
    ///
    /// - Parameters:
    ///   - input: **Shape** [rowCount, inputCount], rows `inputStride` floats apart.
    ///   - output: **Shape** [rowCount, outputCount], rows `outputStride` floats apart.
    ///   - rowCount: 1 to `maximumRowCount`.
    ///   - scratch: `scratchCount` floats with any content.
    public func add(
        _ input: UnsafePointer<Float>, inputStride: Int, rowCount: Int, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, outputStride: Int,
        scratch: UnsafeMutablePointer<Float>
    ) {
        precondition((1...Self.maximumRowCount).contains(rowCount))
        var matrix = gk_sparse_matrix()
        matrix.starts = UnsafePointer(starts.pointer)
        matrix.columns = UnsafePointer(columns.pointer)
        matrix.values = UnsafePointer(values.pointer)
        matrix.outputs = outputCount
        matrix.inputs = inputCount
        withUnsafePointer(to: &matrix) { matrix in
            var product = gk_sparse_product()
            product.matrix = matrix
            product.x = input
            product.x_stride = inputStride
            product.rows = rowCount
            product.y = output
            product.y_stride = outputStride
            product.scale = scale
            product.scratch = scratch
            gk_sparse_add(&product)
        }
    }

    /// Calls `body` with each value and its place, by output.
    public func forEach(_ body: (_ output: Int, _ input: Int, _ value: Float) -> Void) {
        for o in 0..<outputCount {
            for place in Int(starts.pointer[o])..<Int(starts.pointer[o + 1]) {
                body(o, Int(columns.pointer[place]), values.pointer[place])
            }
        }
    }
}
