internal import Checkpoints
public import Kernels

extension LowRankOperator {
    /// W += weight · scaling · B A in f32.
    ///
    /// - Parameter matrix: **Shape** [outputCount, inputCount], row-major.
    func add(to matrix: UnsafeMutablePointer<Float>, weight: Float, pool: WorkerPool?) {
        guard rank > 0 else { return }
        let left = AlignedBuffer<Float>(count: b.outputCount * rank)
        let right = AlignedBuffer<Float>(count: rank * a.inputCount)
        b.unpack(into: left.pointer, pool: pool)
        a.unpack(into: right.pointer)
        scale(left.pointer, right.pointer)
        BLAS.multiplyAdd(
            left: left.pointer, right: right.pointer, into: matrix, rowCount: b.outputCount,
            columnCount: a.inputCount, innerCount: rank, scaling: weight * scaling)
    }

    /// Rows of B by the factors of outputs, rows of A by those between the two.
    private func scale(
        _ b: UnsafeMutablePointer<Float>, _ a: UnsafeMutablePointer<Float>
    ) {
        guard let factors else { return }
        for output in 0..<self.b.outputCount {
            Vectors.scale(b + output * rank, by: factors.outer.pointer[output], count: rank)
        }
        let inputCount = self.a.inputCount
        for index in 0..<rank {
            Vectors.scale(
                a + index * inputCount, by: factors.inner.pointer[index], count: inputCount)
        }
    }
}

/// Weights of one linear slot after merging, in f32.
public struct MergedWeights {
    /// **Shape**: [outputCount, inputCount], row-major.
    public let matrix: AlignedBuffer<Float>
    /// **Shape**: [outputCount]; nil where neither base nor adapters have a bias.
    public let bias: [Float]?
    public let shape: LinearShape
}

extension BaseModel {
    /// The weights that a linear slot has once `parts` are merged: base plus the sum of deltas,
    /// f32.
    ///
    /// - Throws: `MergeError.notFinite` when the sum is not finite; the base is never touched.
    public func merged(
        at slot: LinearSlot, with parts: [SelectedOperators], pool: WorkerPool
    ) throws(MergeError) -> MergedWeights {
        let wanted = mergedShape(of: slot, with: parts)
        let shape = withAllRows(wanted, of: slots.shape(of: slot).outputCount)
        let operators = parts.flatMap { part in
            (part.operators.linear[slot] ?? []).map { ($0, part.weight) }
        }
        var bias = self.bias(at: slot)
        var start = matrix(at: slot)
        for case (.replacement(let matrix, let replacementBias), _) in operators {
            start = matrix
            bias = replacementBias
        }
        let extra = slot == .head ? parts.vocabulary?.head : nil
        let result = table(start, then: extra, shape, pool: pool)
        changeInputsAndOutputs(of: result, shape, by: operators, pool: pool)
        for (op, weight) in operators {
            switch op {
            case .lowRank(let lowRank): lowRank.add(to: result.pointer, weight: weight, pool: pool)
            case .dense(let matrix): add(matrix, weight, to: result.pointer, pool)
            case .update(let map):
                map.add(to: result.pointer, scaledBy: weight, pool: pool)
            case .bias(let difference):
                let sum = bias ?? Array(repeating: 0, count: difference.count)
                bias = zip(sum, difference).map { $0 + weight * $1 }
            case .input, .output, .replacement: break
            }
        }
        let matrix = first(wanted, of: result)
        try checkFinite(matrix, wanted, module: slots.name(of: .linear(slot)))
        return MergedWeights(
            matrix: matrix, bias: bias.map { Array($0.prefix(wanted.outputCount)) }, shape: wanted)
    }

    /// Operators of an adapter without a vocabulary of its own have a row for each token of the
    /// base, though another adapter's vocabulary be smaller: rows behind it are left out in the
    /// end.
    private func withAllRows(_ shape: LinearShape, of rowCount: Int) -> LinearShape {
        LinearShape(outputCount: max(shape.outputCount, rowCount), inputCount: shape.inputCount)
    }

    private func first(_ shape: LinearShape, of table: AlignedBuffer<Float>) -> AlignedBuffer<Float>
    {
        let count = shape.outputCount * shape.inputCount
        guard count < table.count else { return table }
        let result = AlignedBuffer<Float>(count: count)
        result.pointer.update(from: table.pointer, count: count)
        return result
    }

    /// The shape of a linear layer once `parts` are merged: a head follows the vocabulary.
    public func mergedShape(of slot: LinearSlot, with parts: [SelectedOperators]) -> LinearShape {
        let shape = slots.shape(of: slot)
        guard slot == .head, let vocabulary = parts.vocabulary else { return shape }
        return LinearShape(outputCount: vocabulary.tokenCount, inputCount: shape.inputCount)
    }

    /// The embedding table once `parts` are merged, f32, [tokens of the vocabulary, hiddenSize].
    public func mergedEmbedding(
        with parts: [SelectedOperators], pool: WorkerPool
    ) throws(MergeError) -> AlignedBuffer<Float> {
        let wanted = LinearShape(
            outputCount: parts.vocabulary?.tokenCount ?? slots.vocabularyCount,
            inputCount: slots.hiddenSize)
        let shape = withAllRows(wanted, of: slots.vocabularyCount)
        let operators = parts.flatMap { part in part.operators.embedding.map { ($0, part.weight) } }
        var start = weights.embedding
        for case (.replacement(let table), _) in operators { start = table }
        let result = table(start, then: parts.vocabulary?.embedding, shape, pool: pool)
        addMaps(operators, to: result, width: shape.inputCount, pool: pool)
        for case (.lowRank(let rows, let b, let scaling), let weight) in operators {
            add(rows: rows, b: b, scaling: scaling * weight, to: result.pointer, pool: pool)
        }
        let table = first(wanted, of: result)
        try checkFinite(table, wanted, module: slots.name(of: .embedding))
        return table
    }

    /// The rows of a matrix and those behind them, as many as `shape` has, in f32.
    private func table(
        _ matrix: PackedMatrix, then extra: PackedMatrix?, _ shape: LinearShape, pool: WorkerPool
    ) -> AlignedBuffer<Float> {
        let result = AlignedBuffer<Float>(count: shape.outputCount * shape.inputCount)
        guard matrix.outputCount <= shape.outputCount else {
            for row in 0..<shape.outputCount {
                matrix.unpackRow(row, into: result.pointer + row * shape.inputCount)
            }
            return result
        }
        matrix.unpack(into: result.pointer, pool: pool)
        if let extra, matrix.outputCount + extra.outputCount == shape.outputCount {
            extra.unpack(
                into: result.pointer + matrix.outputCount * shape.inputCount, pool: pool)
        }
        return result
    }

    /// E += scaling · R Bᵀ, R [tokens, rank], B [hiddenSize, rank].
    func add(
        rows: [Float], b: PackedMatrix, scaling: Float, to table: UnsafeMutablePointer<Float>,
        pool: WorkerPool
    ) {
        let rank = b.inputCount
        let factor = AlignedBuffer<Float>(count: b.outputCount * rank)
        b.unpack(into: factor.pointer, pool: pool)
        let transposed = AlignedBuffer<Float>(count: b.outputCount * rank)
        for row in 0..<b.outputCount {
            for column in 0..<rank {
                transposed.pointer[column * b.outputCount + row] =
                    factor.pointer[row * rank + column]
            }
        }
        rows.withUnsafeBufferPointer {
            BLAS.multiplyAdd(
                left: $0.baseAddress!, right: transposed.pointer, into: table,
                rowCount: rows.count / rank, columnCount: slots.hiddenSize, innerCount: rank,
                scaling: scaling)
        }
    }

    private func checkFinite(
        _ values: AlignedBuffer<Float>, _ shape: LinearShape, module: String
    ) throws(MergeError) {
        for index in 0..<values.count where !values.pointer[index].isFinite {
            throw .notFinite(
                module: module, row: index / shape.inputCount, column: index % shape.inputCount)
        }
    }
}

extension AdapterOperators {
    /// The same change as whole matrices that stand in place of the base's: a live merge.
    ///
    /// The base is only read. Matrices get the base's own type; those of a quantised base are f32,
    /// since an adapter's delta is smaller than a block's step.
    ///
    /// - Throws: `MergeError`.
    public func merged(
        name: String, into base: BaseModel, weight: Float, pool: WorkerPool
    ) throws(MergeError) -> AdapterOperators {
        try checkIsWeightSpace(name)
        if replacesWeights, weight != 1 {
            throw .replacementWeight(adapter: name, weight: weight)
        }
        let part = [SelectedOperators(name: name, operators: self, weight: weight)]
        var merged = AdapterOperators()
        merged.norms = norms
        merged.normBiases = normBiases
        merged.vocabulary = vocabulary.map {
            // Tables that are merged below hold all rows.
            ResizedVocabulary(
                tokenCount: $0.tokenCount, embedding: embedding.isEmpty ? $0.embedding : nil,
                head: linear[.head] == nil ? $0.head : nil)
        }
        for slot in linear.keys {
            let weights = try base.merged(at: slot, with: part, pool: pool)
            let matrix = try pack(
                weights.matrix, weights.shape, like: base.matrix(at: slot).type,
                module: base.slots.name(of: .linear(slot)), pool: pool)
            merged.linear[slot] = [.replacement(matrix, bias: weights.bias)]
        }
        if !embedding.isEmpty {
            let table = try base.mergedEmbedding(with: part, pool: pool)
            let shape = LinearShape(
                outputCount: vocabulary?.tokenCount ?? base.slots.vocabularyCount,
                inputCount: base.slots.hiddenSize)
            let matrix = try pack(
                table, shape, like: base.weights.embedding.type,
                module: base.slots.name(of: .embedding), pool: pool)
            merged.embedding = [.replacement(matrix)]
        }
        return merged
    }

    private func pack(
        _ values: AlignedBuffer<Float>, _ shape: LinearShape, like type: WeightType, module: String,
        pool: WorkerPool
    ) throws(MergeError) -> PackedMatrix {
        func matrix(_ pointer: UnsafeRawPointer, _ type: WeightType) -> PackedMatrix {
            PackedMatrix(
                packing: WeightMatrix(
                    pointer: pointer, type: type, outputCount: shape.outputCount,
                    inputCount: shape.inputCount), pool: pool)
        }
        switch type {
        case .bf16, .f16:
            let narrow = AlignedBuffer<UInt16>(count: values.count)
            for index in 0..<values.count {
                let value = values.pointer[index]
                narrow.pointer[index] =
                    type == .f16 ? HalfPrecision.f16(value) : HalfPrecision.bf16(value)
                if type == .f16, HalfPrecision.overflowsF16(value) {
                    throw .tooLargeForType(module: module, value: value, type: type.rawValue)
                }
            }
            return matrix(UnsafeRawPointer(narrow.pointer), type)
        case .f32, .q8_0, .q4_0, .q4_1:
            return matrix(UnsafeRawPointer(values.pointer), .f32)
        }
    }
}
