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

    /// output[o] += scale · Σ values · input
    ///
    /// - Parameter input: **Shape** [inputCount]; `output` **shape** [outputCount].
    public func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>
    ) {
        var matrix = gk_sparse_matrix()
        matrix.starts = UnsafePointer(starts.pointer)
        matrix.columns = UnsafePointer(columns.pointer)
        matrix.values = UnsafePointer(values.pointer)
        matrix.outputs = outputCount
        gk_sparse_add(&matrix, input, scale, output)
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
