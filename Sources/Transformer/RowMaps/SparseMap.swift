import Kernels

/// M x with M given by its entries that aren't zero, sorted by output.
///
/// **Source**: SHiRA, arXiv 2406.13175.
public final class SparseMap: RowMap, @unchecked Sendable {
    /// Output o has entries starts[o] ..< starts[o + 1].
    private let starts: [Int32]
    private let columns: [Int32]
    private let values: AlignedBuffer<Float>

    /// - Parameter entries: in any order; entries of one place add up.
    public init(
        inputCount: Int, outputCount: Int, entries: [(output: Int, input: Int, value: Float)]
    ) {
        let sorted = entries.sorted { ($0.output, $0.input) < ($1.output, $1.input) }
        var starts = [Int32](repeating: 0, count: outputCount + 1)
        for entry in sorted {
            precondition(entry.input < inputCount)
            starts[entry.output + 1] += 1
        }
        for o in 0..<outputCount { starts[o + 1] += starts[o] }
        self.starts = starts
        columns = sorted.map { Int32($0.input) }
        values = AlignedBuffer(copying: sorted.map(\.value))
        super.init(inputCount: inputCount, outputCount: outputCount)
    }

    public override var byteCount: Int { columns.count * 8 + starts.count * 4 }
    public override var productCount: Int { columns.count }
    public override var form: String { "sparse" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        starts.withUnsafeBufferPointer { starts in
            columns.withUnsafeBufferPointer { columns in
                for o in 0..<outputCount where starts[o] < starts[o + 1] {
                    var sum: Float = 0
                    for place in Int(starts[o])..<Int(starts[o + 1]) {
                        sum += values.pointer[place] * input[Int(columns[place])]
                    }
                    output[o] += scale * sum
                }
            }
        }
    }

    override var transposed: RowMap? {
        var entries: [(output: Int, input: Int, value: Float)] = []
        for o in 0..<outputCount {
            for place in Int(starts[o])..<Int(starts[o + 1]) {
                entries.append((Int(columns[place]), o, values.pointer[place]))
            }
        }
        return SparseMap(inputCount: outputCount, outputCount: inputCount, entries: entries)
    }

    override func add(
        columnsOf table: UnsafePointer<Float>, width: Int, scaledBy scale: Float,
        to result: UnsafeMutablePointer<Float>, pool: WorkerPool?
    ) {
        for o in 0..<outputCount {
            for place in Int(starts[o])..<Int(starts[o + 1]) {
                Vectors.add(
                    table + Int(columns[place]) * width, scaledBy: scale * values.pointer[place],
                    to: result + o * width, count: width)
            }
        }
    }

    override func add(
        to matrix: UnsafeMutablePointer<Float>, scaledBy scale: Float, pool: WorkerPool?
    ) {
        for o in 0..<outputCount {
            for place in Int(starts[o])..<Int(starts[o + 1]) {
                matrix[o * inputCount + Int(columns[place])] += scale * values.pointer[place]
            }
        }
    }
}
