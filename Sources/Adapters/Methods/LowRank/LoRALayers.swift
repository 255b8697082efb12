internal import Checkpoints
internal import Kernels
internal import Transformer

/// What LoRA does to a targeted slot.
struct LoRALayers {
    let settings: LoRASettings

    /// Why LoRA can't work on a slot; nil where it can.
    func refusal(_ slot: Slot, _ slots: SlotTable) -> String? {
        switch slot {
        case .norm: "LoRA works on linear layers and embeddings, this is a norm"
        case .embedding: nil
        // Its factors of a matrix that lies the other way round fit square ones only.
        case .linear:
            settings.residualBase == .olora ? slots.reasonAgainstConv1D(slot, "OLoRA") : nil
        }
    }

    func add(_ slot: Slot, to compiler: inout TunerCompiler) throws(AdapterError) {
        switch slot {
        case .linear(let linear): try add(linear, to: &compiler)
        case .embedding: try addEmbedding(to: &compiler)
        case .norm: break
        }
    }

    private func add(
        _ linear: LinearSlot, to compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let shape = compiler.shape(of: linear)
        let rank = try settings.rank(of: module)
        LoRA.dropTrainingState(at: slot, &compiler)
        if let blocks = settings.blocks {
            return try addBlocks(blocks, linear, rank: rank, &compiler)
        }
        if compiler.slots.isTransposed(linear), settings.changesWeight(of: module) {
            return try addStored(linear, shape, rank, &compiler)
        }
        let a = try compiler.require(.factorA, at: slot)
        let b = try compiler.tensors.require(
            .factorB, at: slot, reason: "'\(a.name)' has no partner")
        try check(
            a, Side(width: shape.inputCount, module: module, what: "inputs"), rank, isA: true,
            compiler)
        try check(
            b, Side(width: shape.outputCount, module: module, what: "outputs"), rank, isA: false,
            compiler)
        guard compiler.readsValues else { return try addChecked(linear, a, b, rank, &compiler) }
        let scaling = try settings.scaling(of: module)
        let bias = try biasOfB(slot, outputCount: shape.outputCount, &compiler)
        let removal = try settings.residualBase?.removal(
            at: linear, rank: rank, scaling: scaling, &compiler)
        if settings.normalizesWeights {
            return try DoRA(shape: shape, rank: rank, scaling: scaling, biasOfB: bias)
                .add(
                    linear, try compiler.floats(a), try compiler.floats(b), removal: removal,
                    to: &compiler)
        }
        if let removal {
            compiler.append(
                compiler.lowRank(
                    a: removal.a, b: removal.b, rank: rank, shape, scaling: removal.scaling),
                at: linear)
        }
        if settings.residualBase == .kasa {
            try addDiagonal(linear, a, b, rank: rank, scaling: scaling, &compiler)
        } else {
            let down = try compiler.withMatrix(a, rank, shape.inputCount) { RowMatrix(copying: $0) }
            let up = try compiler.packed(b, shape.outputCount, rank)
            compiler.append(
                .lowRank(LowRankOperator(a: down, b: up, scaling: scaling)), at: linear)
            noteProduct(linear, a, b, scaling, &compiler)
        }
        if let bias { compiler.append(.bias(bias.map { scaling * $0 }), at: linear) }
    }

    /// `target_parameters` names a weight that is stored [inputs, outputs]: B A is an update of it
    /// as it is stored, so that B has the inputs and A the outputs.
    private func addStored(
        _ linear: LinearSlot, _ shape: LinearShape, _ rank: Int, _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let slot = Slot.linear(linear)
        let module = compiler.slots.name(of: slot)
        let a = try compiler.require(.factorA, at: slot)
        let b = try compiler.tensors.require(
            .factorB, at: slot, reason: "'\(a.name)' has no partner")
        try check(
            a, Side(width: shape.outputCount, module: module, what: "outputs"), rank, isA: true,
            compiler)
        try check(
            b, Side(width: shape.inputCount, module: module, what: "inputs"), rank, isA: false,
            compiler)
        guard compiler.readsValues else {
            compiler.checkedRank = max(compiler.checkedRank ?? 0, rank)
            compiler.operators.linear[linear] = []
            for tensor in [a, b] {
                try tensor.checkType(file: compiler.file)
                compiler.parameterCount += tensor.shape.reduce(1, *)
            }
            return
        }
        let left = Matrices.transposed(try compiler.floats(b), rowCount: shape.inputCount)
        let right = Matrices.transposed(try compiler.floats(a), rowCount: rank)
        compiler.append(
            compiler.lowRank(
                a: left, b: right, rank: rank, shape, scaling: try settings.scaling(of: module)),
            at: linear)
    }

    /// Where the file's two matrices are all that the update is.
    private func noteProduct(
        _ linear: LinearSlot, _ a: AdapterTensor, _ b: AdapterTensor, _ scaling: Float,
        _ compiler: inout TunerCompiler
    ) {
        guard settings.isPlain else { return }
        compiler.products.append(
            StoredProduct(slot: linear, a: a.name, b: b.name, scaling: scaling))
    }

    /// y += scaling · B (d ⊙ A x): KaSA's factors with its singular values.
    private func addDiagonal(
        _ linear: LinearSlot, _ a: AdapterTensor, _ b: AdapterTensor, rank: Int, scaling: Float,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        let shape = compiler.slots.shape(of: linear)
        let diagonal = try compiler.floats(
            .diagonal, at: .linear(linear), shape: [rank],
            reason: "it has one value for each of \(rank) ranks")
        var left = try compiler.floats(a)
        for index in left.indices { left[index] *= diagonal[index / shape.inputCount] }
        compiler.append(
            compiler.lowRank(
                a: left, b: try compiler.floats(b), rank: rank, shape, scaling: scaling),
            at: linear)
    }

    /// Stands for factors whose values aren't read.
    private func addChecked(
        _ linear: LinearSlot, _ a: AdapterTensor, _ b: AdapterTensor, _ rank: Int,
        _ compiler: inout TunerCompiler
    ) throws(AdapterError) {
        for tensor in [a, b] {
            try tensor.checkType(file: compiler.file)
            compiler.parameterCount += tensor.shape.reduce(1, *)
        }
        compiler.checkedRank = max(compiler.checkedRank ?? 0, rank)
        compiler.operators.linear[linear] = []
        noteProduct(
            linear, a, b, try settings.scaling(of: compiler.slots.name(of: .linear(linear))),
            &compiler)
        _ = try biasOfB(.linear(linear), outputCount: b.shape[0], &compiler)
        if settings.normalizesWeights { _ = try compiler.require(.magnitude, at: .linear(linear)) }
    }

    /// The bias of B; nil where the configuration sets none.
    func biasOfB(
        _ slot: Slot, outputCount: Int, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> [Float]? {
        guard settings.hasBiasOfB else { return nil }
        let bias = try compiler.tensors.require(
            .biasOfB, at: slot, reason: "the configuration sets 'lora_bias'")
        let module = compiler.slots.name(of: slot)
        try compiler.check(
            bias, shape: [outputCount], reason: "'\(module)' has \(outputCount) outputs")
        return try compiler.floats(bias)
    }

    /// PEFT:   A [rank, vocabulary], column t for token t;   B [hidden, rank]
    /// Graft:  rows [vocabulary, rank], row t for token t;   b [hidden, rank]
    private func addEmbedding(to compiler: inout TunerCompiler) throws(AdapterError) {
        let slots = compiler.slots
        let module = slots.name(of: .embedding)
        let rank = try settings.rank(of: module)
        // PiSSA and OLoRA take nothing out of an embedding.
        guard settings.residualBase != .kasa else {
            throw .unsupportedTarget(
                module: module, setting: "target_modules",
                reason: "KaSA works on linear layers, this is an embedding",
                file: compiler.configurationFile)
        }
        if settings.residualBase != nil, try compiler.targetedSlots().contains(.linear(.head)) {
            // What was taken out of the head is missing here, too.
            try ResidualBase.checkHead(compiler)
        }
        guard !settings.hasBiasOfB else {
            throw .unsupportedTarget(
                module: module, setting: "target_modules",
                reason: "an embedding has no bias, and the configuration sets 'lora_bias'",
                file: compiler.configurationFile)
        }
        let (rows, b) = try embeddingFactors(rank, &compiler)
        let scaling = try settings.scaling(of: module)
        guard settings.normalizesWeights else {
            compiler.operators.embedding.append(
                .lowRank(
                    rows: rows, b: compiler.packed(b, slots.hiddenSize, rank),
                    scaling: scaling))
            return
        }
        let shape = LinearShape(
            outputCount: slots.hiddenSize, inputCount: slots.vocabularyCount)
        try DoRA(shape: shape, rank: rank, scaling: scaling, biasOfB: nil)
            .addEmbedding(rows: rows, b: b, to: &compiler)
    }

    /// Rows [vocabulary, rank] and b [hidden, rank].
    ///
    /// An embedding's own A has the tokens and its B the outputs. `target_parameters` gives its
    /// weight, a matrix [vocabulary, hidden], factors like any other's: B has the tokens, A the
    /// outputs.
    private func embeddingFactors(
        _ rank: Int, _ compiler: inout TunerCompiler
    ) throws(AdapterError) -> (rows: [Float], b: [Float]) {
        let module = compiler.slots.name(of: .embedding)
        let isWeight = settings.changesWeight(of: module)
        let tokens = Side(width: compiler.vocabularyCount, module: module, what: "tokens")
        let outputs = Side(width: compiler.slots.hiddenSize, module: module, what: "outputs")
        let (sideA, sideB) = isWeight ? (outputs, tokens) : (tokens, outputs)
        let a = try compiler.require(isWeight ? .factorA : .embeddingA, at: .embedding)
        let b = try compiler.tensors.require(
            isWeight ? .factorB : .embeddingB, at: .embedding,
            reason: "'\(a.name)' has no partner")
        try check(a, sideA, rank, isA: true, compiler)
        try check(b, sideB, rank, isA: false, compiler)
        let turned = Matrices.transposed(
            try compiler.floats(a), rowCount: rank)
        let values = try compiler.floats(b)
        return isWeight ? (values, turned) : (turned, values)
    }

    /// The side of a factor that isn't its rank.
    private struct Side {
        let width: Int
        let module: String
        let what: String
    }

    private func check(
        _ tensor: AdapterTensor, _ side: Side, _ rank: Int, isA: Bool, _ compiler: TunerCompiler
    ) throws(AdapterError) {
        let expected = isA ? [rank, side.width] : [side.width, rank]
        let found = tensor.shape
        let width = found.count == 2 ? found[isA ? 1 : 0] : side.width
        let reason =
            width == side.width
            ? "'r' and 'rank_pattern' give '\(side.module)' rank \(rank)"
            : "the adapter expects \(width) \(side.what), the base's '\(side.module)' has "
                + "\(side.width): it was trained on another base"
        try compiler.check(tensor, shape: expected, reason: reason)
    }
}
