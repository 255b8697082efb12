internal import Checkpoints
internal import Kernels
internal import Transformer

extension LoRACompiler {
    mutating func addLowRank(_ slot: Slot) throws(AdapterError) {
        switch slot {
        case .linear(let linear): try addLowRank(linear)
        case .embedding: try addEmbeddingLowRank()
        case .norm: break
        }
    }

    private mutating func addLowRank(_ linear: LinearSlot) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = slots.name(of: slot)
        let shape = slots.shape(of: linear)
        let rank = try settings.rank(of: module)
        let a = try tensors.require(
            .factorA, at: slot, reason: "the configuration targets '\(module)'")
        let b = try tensors.require(
            .factorB, at: slot, reason: "'\(a.name)' has no partner")
        try check(a, .factor(width: shape.inputCount, of: module, what: "inputs"), rank, isA: true)
        try check(
            b, .factor(width: shape.outputCount, of: module, what: "outputs"), rank, isA: false)
        let scaling = try settings.scaling(of: module)
        guard readsValues else { return try addChecked(linear, a, b, rank) }
        operators.linear[linear, default: []].append(
            .lowRank(
                LowRankOperator(
                    a: try withMatrix(a, rank, shape.inputCount) { RowMatrix(copying: $0) },
                    b: try packed(b, shape.outputCount, rank), scaling: scaling)))
        try addBiasOfB(linear, module: module, outputCount: shape.outputCount, scaling: scaling)
    }

    /// Stands for factors whose values aren't read.
    private mutating func addChecked(
        _ linear: LinearSlot, _ a: AdapterTensor, _ b: AdapterTensor, _ rank: Int
    ) throws(AdapterError) {
        for tensor in [a, b] {
            try tensor.checkType(file: file)
            parameterCount += tensor.shape.reduce(1, *)
        }
        checkedRank = max(checkedRank ?? 0, rank)
        operators.linear[linear] = []
        if settings.hasBiasOfB {
            _ = try tensors.require(
                .biasOfB, at: .linear(linear), reason: "the configuration sets 'lora_bias'")
        }
    }

    private mutating func addBiasOfB(
        _ linear: LinearSlot, module: String, outputCount: Int, scaling: Float
    ) throws(AdapterError) {
        guard settings.hasBiasOfB else { return }
        let bias = try tensors.require(
            .biasOfB, at: .linear(linear), reason: "the configuration sets 'lora_bias'")
        try check(bias, shape: [outputCount], reason: "'\(module)' has \(outputCount) outputs")
        operators.linear[linear, default: []].append(.bias(try floats(bias).map { scaling * $0 }))
    }

    /// PEFT:   A [rank, vocabulary], column t for token t;   B [hidden, rank]
    /// Graft:  rows [vocabulary, rank], row t for token t;   b [hidden, rank]
    private mutating func addEmbeddingLowRank() throws(AdapterError) {
        let module = slots.name(of: .embedding)
        let rank = try settings.rank(of: module)
        guard !settings.hasBiasOfB else {
            throw .unsupportedTarget(
                module: module, setting: "target_modules",
                reason: "an embedding has no bias, and the configuration sets 'lora_bias'",
                file: configurationFile)
        }
        let a = try tensors.require(
            .embeddingA, at: .embedding, reason: "the configuration targets '\(module)'")
        let b = try tensors.require(
            .embeddingB, at: .embedding, reason: "'\(a.name)' has no partner")
        try check(
            a, .factor(width: slots.vocabularyCount, of: module, what: "tokens"), rank, isA: true)
        try check(
            b, .factor(width: slots.hiddenSize, of: module, what: "outputs"), rank, isA: false)
        operators.embedding.append(
            .lowRank(
                rows: Self.transposed(
                    try floats(a), rowCount: rank, columnCount: slots.vocabularyCount),
                b: try packed(b, slots.hiddenSize, rank),
                scaling: try settings.scaling(of: module)))
    }

    /// The side of a factor that isn't its rank.
    private struct Side {
        let width: Int
        let module: String
        let what: String

        static func factor(width: Int, of module: String, what: String) -> Side {
            Side(width: width, module: module, what: what)
        }
    }

    private func check(
        _ tensor: AdapterTensor, _ side: Side, _ rank: Int, isA: Bool
    ) throws(AdapterError) {
        let expected = isA ? [rank, side.width] : [side.width, rank]
        let found = tensor.shape
        let width = found.count == 2 ? found[isA ? 1 : 0] : side.width
        let reason =
            width == side.width
            ? "'r' and 'rank_pattern' give '\(side.module)' rank \(rank)"
            : "the adapter expects \(width) \(side.what), the base's '\(side.module)' has "
                + "\(side.width): it was trained on another base"
        try check(tensor, shape: expected, reason: reason)
    }

    /// A factor in the type in which the file has it.
    private mutating func packed(
        _ tensor: AdapterTensor, _ outputCount: Int, _ inputCount: Int
    ) throws(AdapterError) -> PackedMatrix {
        let pool = pool
        return try withMatrix(tensor, outputCount, inputCount) {
            PackedMatrix(packing: $0, pool: pool)
        }
    }

    /// Calls `make` with the stored matrix; f64 is narrowed to f32.
    private mutating func withMatrix<Result>(
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

    private static func transposed(
        _ values: [Float], rowCount: Int, columnCount: Int
    ) -> [Float] {
        var result = [Float](repeating: 0, count: values.count)
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                result[column * rowCount + row] = values[row * columnCount + column]
            }
        }
        return result
    }
}
