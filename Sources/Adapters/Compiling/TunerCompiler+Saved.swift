internal import Checkpoints
internal import Kernels
internal import Transformer

// Modules and biases that were trained whole, and tables of the base that were saved along.
extension TunerCompiler {
    /// A module of `modules_to_save` stands in place of the base's.
    mutating func addSaved(_ slot: Slot) throws(AdapterError) {
        let module = slots.name(of: slot)
        let weight = try savedWeight(slot, module: module)
        try checkCopy(.savedModule, of: weight, at: slot)
        let reason =
            "the base's '\(module)' has this shape: the adapter was trained on another base"
        switch slot {
        case .norm(let norm):
            try check(weight, shape: [slots.width(of: norm)], reason: reason)
            operators.norms[norm] = .gain(try floats(weight))
            operators.normBiases[norm] = try savedBias(norm, module: module)
        case .embedding:
            let shape = LinearShape(outputCount: vocabularyCount, inputCount: slots.hiddenSize)
            try check(weight, shape: [shape.outputCount, shape.inputCount], reason: reason)
            // Some libraries save a head along that nobody trained.
            if isTied, base.weights.embedding.holds(try weight.floats(file: file)) { return }
            operators.embedding.append(
                .replacement(try replacement(weight, shape, base: base.weights.embedding)))
        case .linear(let linear):
            let shape = shape(of: linear)
            try check(weight, shape: storedShape(shape, at: linear), reason: reason)
            let own = base.matrix(at: linear)
            if linear == .head, own.holds(try weight.floats(file: file)) { return }
            let matrix =
                if linear == .head, let table = try tiedTable(weight) {
                    table
                } else {
                    try replacement(weight, shape, at: linear)
                }
            operators.linear[linear, default: []].append(
                .replacement(matrix, bias: try savedBias(linear, module: module)))
        }
    }

    /// Of a tied pair, a file may have one.
    private mutating func savedWeight(
        _ slot: Slot, module: String
    ) throws(AdapterError) -> AdapterTensor {
        if isTied, slot == .embedding, !tensors.has(.weight, at: slot),
            let head = tensors.peek(.weight, at: .linear(.head))
        {
            return head
        }
        return try tensors.require(
            .weight, at: slot, reason: "'modules_to_save' names '\(module)'")
    }

    /// The table that stands for the embedding and for this head; nil where they are two.
    private func tiedTable(_ head: AdapterTensor) throws(AdapterError) -> PackedMatrix? {
        guard isTied, case .replacement(let table)? = operators.embedding.last,
            table.holds(try head.floats(file: file))
        else { return nil }
        return table
    }

    /// PEFT may save what was trained under two names.
    private mutating func checkCopy(
        _ part: TensorPart, of trained: AdapterTensor, at slot: Slot
    ) throws(AdapterError) {
        guard let copy = tensors.take(part, at: slot) else { return }
        guard copy.shape == trained.shape,
            try copy.floats(file: file) == trained.floats(file: file)
        else {
            throw .invalidValues(
                tensor: copy.name,
                reason: "it has other values than '\(trained.name)', which stands "
                    + "for the same weights", file: file)
        }
    }

    private mutating func savedBias(
        _ norm: NormSlot, module: String
    ) throws(AdapterError) -> [Float]? {
        guard slots.hasBias(norm) else { return nil }
        let bias = try tensors.require(
            .bias, at: .norm(norm), reason: "'modules_to_save' names '\(module)'")
        let count = slots.width(of: norm)
        try check(bias, shape: [count], reason: "'\(module)' has \(count) values")
        try checkCopy(.savedBias, of: bias, at: .norm(norm))
        if settings.bias == .all { _ = tensors.take(.originalBias, at: .norm(norm)) }
        return try floats(bias)
    }

    private mutating func savedBias(
        _ linear: LinearSlot, module: String
    ) throws(AdapterError) -> [Float]? {
        guard slots.hasBias(linear) else { return nil }
        let bias = try tensors.require(
            .bias, at: .linear(linear), reason: "'modules_to_save' names '\(module)'")
        let count = slots.shape(of: linear).outputCount
        try check(bias, shape: [count], reason: "'\(module)' has \(count) outputs")
        // With `bias` all, PEFT saves it twice, and the bias as it was before training.
        try checkCopy(.savedBias, of: bias, at: .linear(linear))
        if settings.bias == .all { _ = tensors.take(.originalBias, at: .linear(linear)) }
        return try floats(bias)
    }

    /// A linear layer's matrix, which a `Conv1D` stores the other way round.
    mutating func replacement(
        _ tensor: AdapterTensor, _ shape: LinearShape, at linear: LinearSlot
    ) throws(AdapterError) -> PackedMatrix {
        let own = base.matrix(at: linear)
        guard slots.isTransposed(linear) else { return try replacement(tensor, shape, base: own) }
        let values = Matrices.transposed(try floats(tensor), rowCount: shape.inputCount)
        return packed(values, shape.outputCount, shape.inputCount)
    }

    /// What a tensor with a linear layer's matrix has.
    func storedShape(_ shape: LinearShape, at linear: LinearSlot) -> [Int] {
        let sides = [shape.outputCount, shape.inputCount]
        return slots.isTransposed(linear) ? sides.reversed() : sides
    }

    /// Keeps the file's type, unless the base computes in f32 there.
    mutating func replacement(
        _ tensor: AdapterTensor, _ shape: LinearShape, base: PackedMatrix
    ) throws(AdapterError) -> PackedMatrix {
        let values = try floats(tensor)
        guard base.type != .f32, let type = WeightType(rawValue: tensor.elementType.rawValue),
            type == .f16 || type == .bf16
        else { return packed(values, shape.outputCount, shape.inputCount) }
        return tensor.withBytes {
            PackedMatrix(
                packing: WeightMatrix(
                    pointer: $0.baseAddress!, type: type, outputCount: shape.outputCount,
                    inputCount: shape.inputCount), pool: pool)
        }
    }

    /// With `bias`, the file has the trained biases themselves; the operator is their difference to
    /// the base's.
    mutating func addBaseBias(_ slot: Slot, isTargeted: Bool) throws(AdapterError) {
        if case .norm(let norm) = slot { return try addBaseBias(norm) }
        guard case .linear(let linear) = slot, let own = base.bias(at: linear) else { return }
        let part: TensorPart
        switch settings.bias {
        case .none: return
        case .all: part = isTargeted ? .baseBias : .bias
        case .targeted where isTargeted: part = .baseBias
        case .targeted: return
        }
        if settings.saved.contains(anyOf: slots.names(of: slot)) { return }
        let module = slots.name(of: slot)
        let bias = try tensors.require(
            part, at: slot,
            reason: "'bias' is \"\(settings.bias.text)\" and the base's '\(module)' has one")
        try check(bias, shape: [own.count], reason: "'\(module)' has \(own.count) outputs")
        let trained = try floats(bias)
        operators.linear[linear, default: []].append(.bias(zip(trained, own).map { $0 - $1 }))
    }

    /// `bias` "all" means those of norms as well.
    private mutating func addBaseBias(_ norm: NormSlot) throws(AdapterError) {
        let module = slots.name(of: .norm(norm))
        guard settings.bias == .all, let own = base.bias(at: norm),
            !settings.saved.contains(module)
        else { return }
        let bias = try tensors.require(
            .bias, at: .norm(norm),
            reason: "'bias' is \"all\" and the base's '\(module)' has one")
        try check(bias, shape: [own.count], reason: "'\(module)' has \(own.count) values")
        operators.normBiases[norm] = try floats(bias)
    }

    /// The bias of a targeted layer that the adapter saw: the trained one, where biases were
    /// trained, otherwise the base's; nil where it has none.
    func biasInTraining(at linear: LinearSlot) throws(AdapterError) -> [Float]? {
        guard let own = base.bias(at: linear) else { return nil }
        guard settings.bias != .none, let trained = tensors.peek(.baseBias, at: .linear(linear))
        else { return own }
        try check(
            trained, shape: [own.count],
            reason: "'\(slots.name(of: .linear(linear)))' has \(own.count) outputs")
        return try trained.floats(file: file)
    }

    /// PEFT saves the base's own embedding and head along when it targets one of them, or when the
    /// vocabulary was resized. They are no update where they are what the base has.
    ///
    /// - Parameter strayPart: what a table is called that PEFT would load in place of the base's.
    mutating func checkBaseTable(
        _ slot: Slot, strayPart: TensorPart?, isSaved: Bool
    ) throws(AdapterError) {
        let own: PackedMatrix
        switch slot {
        case .embedding: own = base.weights.embedding
        case .linear(.head): own = base.matrix(at: .head)
        default: return
        }
        for part in ResizedTables.untrained {
            guard let tensor = tensors.take(part, at: slot) else { continue }
            let module = slots.name(of: slot)
            try check(
                tensor, shape: [vocabularyCount, own.inputCount],
                reason: "it is the table of another base")
            let values = try tensor.floats(file: file)
            guard let row = firstDifference(values, own, tensor) else {
                keepRows(values, at: slot)
                strays.sameTables[slot] = tensor.name
                continue
            }
            if part == strayPart {
                strays.tables[slot] = tensor
                continue
            }
            if part == .originalModule, isSaved, !base.configuration.tiesHeadToEmbedding {
                warnings.append(
                    "\(file): '\(tensor.name)' differs from the base's own '\(module)' and isn't used: "
                        + "what 'modules_to_save' names stands in its place")
                continue
            }
            throw .unknownTensor(
                tensor.name,
                reason: "it is a copy of the base's own '\(module)', and differs from it in row "
                    + "\(row): the adapter was trained on another base, or 'modules_to_save' "
                    + "lacks '\(module)'", file: file)
        }
    }

    /// The first row in which two tables differ by more than the coarser of their types explains.
    func firstDifference(
        _ values: [Float], _ own: PackedMatrix, _ tensor: AdapterTensor
    ) -> Int? {
        var row = [Float](repeating: 0, count: own.inputCount)
        for index in 0..<min(own.outputCount, values.count / max(own.inputCount, 1)) {
            row.withUnsafeMutableBufferPointer { own.unpackRow(index, into: $0.baseAddress!) }
            let start = index * own.inputCount
            let largest = row.reduce(0) { max($0, abs($1)) }
            for column in 0..<own.inputCount {
                let value = values[start + column]
                let step = max(
                    Self.step(own.type, value: value, largest: largest),
                    Self.step(
                        WeightType(rawValue: tensor.elementType.rawValue) ?? .f32, value: value,
                        largest: largest))
                if abs(row[column] - value) > step { return index }
            }
        }
        return nil
    }

    /// How far rounding to a type moves a value; of block types, of a block whose largest magnitude
    /// is that of the row.
    private static func step(_ type: WeightType, value: Float, largest: Float) -> Float {
        switch type {
        case .f32: 0
        case .f16: max(abs(value) * 0x1p-10, 0x1p-24)
        case .bf16: abs(value) * 0x1p-7
        case .q8_0: largest / 100
        case .q4_0, .q4_1: largest / 6
        }
    }
}

extension PackedMatrix {
    /// True when its values are exactly these. **Shape**: [outputCount, inputCount], row-major.
    fileprivate func holds(_ values: [Float]) -> Bool {
        guard values.count == outputCount * inputCount else { return false }
        var row = [Float](repeating: 0, count: inputCount)
        return (0..<outputCount).allSatisfy { output in
            row.withUnsafeMutableBufferPointer { unpackRow(output, into: $0.baseAddress!) }
            return row.elementsEqual(values[output * inputCount..<(output + 1) * inputCount])
        }
    }
}
