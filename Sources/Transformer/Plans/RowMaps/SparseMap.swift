import Kernels

/// M x with M given by its entries that aren't zero, sorted by output.
///
/// **Source**: SHiRA, arXiv 2406.13175.
public final class SparseMap: RowMap, @unchecked Sendable {
    private let matrix: SparseMatrix

    /// - Parameter entries: in any order; entries of one place add up.
    public init(
        inputCount: Int, outputCount: Int, entries: [(output: Int, input: Int, value: Float)]
    ) {
        matrix = SparseMatrix(
            outputCount: outputCount, inputCount: inputCount,
            entries: entries.sorted { ($0.output, $0.input) < ($1.output, $1.input) })
        super.init(inputCount: inputCount, outputCount: outputCount)
    }

    public override var byteCount: Int { matrix.byteCount }
    public override var productCount: Int { matrix.valueCount }
    public override var form: String { "sparse" }

    override var scratchCount: Int { matrix.scratchCount }
    override var groupRowCount: Int { SparseMatrix.maximumRowCount }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        add(
            RowGroup(
                input: input, inputStride: 0, output: output, outputStride: 0, rowCount: 1),
            scaledBy: scale, scratch: scratch)
    }

    override func add(
        _ rows: RowGroup, scaledBy scale: Float, scratch: UnsafeMutablePointer<Float>
    ) {
        matrix.add(
            rows.input, inputStride: rows.inputStride, rowCount: rows.rowCount, scaledBy: scale,
            to: rows.output, outputStride: rows.outputStride, scratch: scratch)
    }

    override var transposed: RowMap? {
        var entries: [(output: Int, input: Int, value: Float)] = []
        matrix.forEach { output, input, value in entries.append((input, output, value)) }
        return SparseMap(inputCount: outputCount, outputCount: inputCount, entries: entries)
    }

    override func add(
        columnsOf table: UnsafePointer<Float>, width: Int, scaledBy scale: Float,
        to result: UnsafeMutablePointer<Float>, pool: WorkerPool?
    ) {
        matrix.forEach { row, column, value in
            Vectors.add(
                table + column * width, scaledBy: scale * value, to: result + row * width,
                count: width)
        }
    }

    override func add(
        to matrix: UnsafeMutablePointer<Float>, scaledBy scale: Float, pool: WorkerPool?
    ) {
        self.matrix.forEach { row, column, value in
            matrix[row * inputCount + column] += scale * value
        }
    }
}
