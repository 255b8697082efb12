internal import Checkpoints
internal import Kernels
internal import Transformer

// Tensors to values and matrices, counted and checked.
extension TunerCompiler {
    /// Counts a tensor and widens it.
    mutating func floats(_ tensor: AdapterTensor) throws(AdapterError) -> [Float] {
        let values = try tensor.floats(file: file)
        parameterCount += values.count
        return values
    }

    /// The part's values at a targeted slot.
    ///
    /// - Parameters:
    ///   - shape: what the tensor must have.
    ///   - reason: what the expected shape follows from.
    mutating func floats(
        _ part: TensorPart, at slot: Slot, shape: [Int], reason: String
    ) throws(AdapterError) -> [Float] {
        let tensor = try require(part, at: slot)
        try check(tensor, shape: shape, reason: reason)
        return try floats(tensor)
    }

    /// A tensor that must be there because the slot is targeted.
    mutating func require(
        _ part: TensorPart, at slot: Slot
    ) throws(AdapterError) -> AdapterTensor {
        try tensors.require(
            part, at: slot, reason: "the configuration targets '\(slots.name(of: slot))'")
    }

    /// - Parameter reason: what the expected shape follows from.
    func check(
        _ tensor: AdapterTensor, shape: [Int], reason: String
    ) throws(AdapterError) {
        guard tensor.shape == shape else {
            throw .wrongShape(
                tensor: tensor.name, expected: shape, found: tensor.shape,
                reason: tensor.shape == shape.reversed() ? "it is transposed" : reason, file: file)
        }
    }

    /// A matrix in the type in which the file has it.
    mutating func packed(
        _ tensor: AdapterTensor, _ outputCount: Int, _ inputCount: Int
    ) throws(AdapterError) -> PackedMatrix {
        let pool = pool
        return try withMatrix(tensor, outputCount, inputCount) {
            PackedMatrix(packing: $0, pool: pool)
        }
    }

    /// Calls `make` with the stored matrix; f64 is narrowed to f32.
    mutating func withMatrix<Result>(
        _ tensor: AdapterTensor, _ outputCount: Int, _ inputCount: Int,
        _ make: (WeightMatrix) -> Result
    ) throws(AdapterError) -> Result {
        func matrix(_ bytes: UnsafeRawBufferPointer, _ type: WeightType) -> Result {
            make(
                WeightMatrix(
                    pointer: bytes.baseAddress!, type: type, outputCount: outputCount,
                    inputCount: inputCount))
        }
        guard let type = WeightType(rawValue: tensor.elementType.rawValue),
            type.blockElementCount == 1
        else { return try floats(tensor).withUnsafeBytes { matrix($0, .f32) } }
        try tensor.checkFinite(file: file)
        parameterCount += outputCount * inputCount
        return tensor.withBytes { matrix($0, type) }
    }

    func packed(_ values: [Float], _ outputCount: Int, _ inputCount: Int) -> PackedMatrix {
        values.withUnsafeBytes {
            PackedMatrix(
                packing: WeightMatrix(
                    pointer: $0.baseAddress!, type: .f32, outputCount: outputCount,
                    inputCount: inputCount), pool: pool)
        }
    }

    /// B A x, scaled, with factors that were computed.
    ///
    /// - Parameters:
    ///   - a: **Shape** [rank, inputCount], row-major.
    ///   - b: **Shape** [outputCount, rank], row-major.
    func lowRank(
        a: [Float], b: [Float], rank: Int, _ shape: LinearShape, scaling: Float
    ) -> LinearOperator {
        let factor = a.withUnsafeBytes {
            RowMatrix(
                copying: WeightMatrix(
                    pointer: $0.baseAddress!, type: .f32, outputCount: rank,
                    inputCount: shape.inputCount))
        }
        return .lowRank(
            LowRankOperator(
                a: factor, b: packed(b, shape.outputCount, rank), scaling: scaling))
    }

    /// The base's matrix at a slot in f32. **Shape**: [outputCount, inputCount], row-major.
    func baseMatrix(_ linear: LinearSlot) -> [Float] {
        Self.floats(of: base.matrix(at: linear), pool: pool)
    }

    static func floats(of matrix: PackedMatrix, pool: WorkerPool?) -> [Float] {
        [Float](unsafeUninitializedCapacity: matrix.outputCount * matrix.inputCount) {
            matrix.unpack(into: $0.baseAddress!, pool: pool)
            $1 = matrix.outputCount * matrix.inputCount
        }
    }
}
