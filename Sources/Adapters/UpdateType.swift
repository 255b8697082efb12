internal import Checkpoints
internal import Kernels
internal import Transformer

/// In which type the matrices of updates are kept in memory: the factors of low-rank operators, and
/// whole matrices where no smaller form is exact.
public enum UpdateType: Sendable {
    /// As the file has them.
    case file
    /// Rounded to bf16 where they are f32, and no value is too large for it: half of the memory,
    /// and half of what a step reads.
    case bf16
    /// As exactly as the base's weights are: `bf16` beside bf16 and quantised ones, else `file`.
    case asWeights

    func beside(_ base: BaseModel) -> UpdateType {
        guard self == .asWeights else { return self }
        return base.hasCoarseWeights ? .bf16 : .file
    }
}

extension AdapterOperators {
    /// The same with factors A and B of low-rank operators, and whole matrices that are added, in
    /// another type; what modules share stays shared. All else is kept as it is: rotations and
    /// scales, and what stands in place of the base's weights.
    func keepingUpdates(as type: UpdateType, pool: WorkerPool) -> AdapterOperators {
        guard type == .bf16 else { return self }
        var narrowed = self
        var rounding = UpdateRounding(pool: pool)
        for (slot, list) in linear { narrowed.linear[slot] = list.map { rounding.rounded($0) } }
        narrowed.embedding = embedding.map { rounding.rounded($0) }
        return narrowed
    }
}

/// Rounds matrices of updates to bf16, each once.
private struct UpdateRounding {
    let pool: WorkerPool
    private var rowMatrices: [ObjectIdentifier: RowMatrix] = [:]
    private var packedMatrices: [ObjectIdentifier: PackedMatrix] = [:]

    init(pool: WorkerPool) {
        self.pool = pool
    }

    mutating func rounded(_ op: LinearOperator) -> LinearOperator {
        switch op {
        case .lowRank(let lowRank):
            .lowRank(
                LowRankOperator(
                    a: rounded(lowRank.a), b: rounded(lowRank.b), scaling: lowRank.scaling,
                    factors: lowRank.factors))
        case .dense(let matrix): .dense(rounded(matrix))
        case .update, .input, .output, .bias, .replacement: op
        }
    }

    mutating func rounded(_ op: EmbeddingOperator) -> EmbeddingOperator {
        guard case .lowRank(let rows, let b, let scaling) = op else { return op }
        return .lowRank(rows: rows, b: rounded(b), scaling: scaling)
    }

    private mutating func rounded(_ matrix: RowMatrix) -> RowMatrix {
        guard matrix.type == .f32 else { return matrix }
        if let known = rowMatrices[ObjectIdentifier(matrix)] { return known }
        let result =
            Self.withBF16(matrix.outputCount, matrix.inputCount) {
                matrix.unpack(into: $0)
            } make: {
                RowMatrix(copying: $0)
            } ?? matrix
        rowMatrices[ObjectIdentifier(matrix)] = result
        return result
    }

    private mutating func rounded(_ matrix: PackedMatrix) -> PackedMatrix {
        guard matrix.type == .f32 else { return matrix }
        if let known = packedMatrices[ObjectIdentifier(matrix)] { return known }
        let pool = pool
        let result =
            Self.withBF16(matrix.outputCount, matrix.inputCount) {
                matrix.unpack(into: $0, pool: pool)
            } make: {
                PackedMatrix(packing: $0, pool: pool)
            } ?? matrix
        packedMatrices[ObjectIdentifier(matrix)] = result
        return result
    }

    /// Calls `make` with the matrix that `fill` writes, rounded; nil where a value becomes
    /// infinite.
    private static func withBF16<Result>(
        _ outputCount: Int, _ inputCount: Int, fill: (UnsafeMutablePointer<Float>) -> Void,
        make: (WeightMatrix) -> Result
    ) -> Result? {
        let floats = AlignedBuffer<Float>(count: max(1, outputCount * inputCount))
        fill(floats.pointer)
        let values = UnsafeBufferPointer(start: floats.pointer, count: outputCount * inputCount)
        guard NarrowFloats.firstOverflow(values, in: .bf16) == nil else { return nil }
        return NarrowFloats.bytes(values, as: .bf16).withUnsafeBytes {
            make(
                WeightMatrix(
                    pointer: $0.baseAddress!, type: .bf16, outputCount: outputCount,
                    inputCount: inputCount))
        }
    }
}
