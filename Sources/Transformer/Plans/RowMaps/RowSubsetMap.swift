import Kernels

/// M x where only some outputs aren't zero: what new rows of a head change.
///
/// **Source**: trained tokens of tied tables, PEFT 0.21.
public final class RowSubsetMap: RowMap, @unchecked Sendable {
    private let outputs: [Int32]
    private let rows: RowMatrix

    /// - Parameters:
    ///   - outputs: which, none twice.
    ///   - rows: **Shape** [outputs.count, inputCount].
    public init(outputCount: Int, outputs: [Int32], rows: [Float]) {
        precondition(outputs.allSatisfy { $0 >= 0 && Int($0) < outputCount })
        self.outputs = outputs
        self.rows = RowMatrix(
            floats: rows,
            shape: LinearShape(
                outputCount: outputs.count, inputCount: rows.count / max(1, outputs.count)))
        super.init(inputCount: self.rows.inputCount, outputCount: outputCount)
    }

    public override var byteCount: Int { rows.byteCount + outputs.count * 4 }
    override var scratchCount: Int { outputs.count }
    public override var productCount: Int { outputs.count * inputCount }
    public override var form: String { "chosen rows" }

    override func add(
        _ input: UnsafePointer<Float>, scaledBy scale: Float,
        to output: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
    ) {
        Vectors.multiply(rows.view, input, scaledBy: scale, output: scratch)
        for (place, index) in outputs.enumerated() { output[Int(index)] += scratch[place] }
    }

    override func add(
        to matrix: UnsafeMutablePointer<Float>, scaledBy scale: Float, pool: WorkerPool?
    ) {
        var values = [Float](repeating: 0, count: outputs.count * inputCount)
        values.withUnsafeMutableBufferPointer { rows.unpack(into: $0.baseAddress!) }
        for (place, index) in outputs.enumerated() {
            for k in 0..<inputCount {
                matrix[Int(index) * inputCount + k] += scale * values[place * inputCount + k]
            }
        }
    }
}
