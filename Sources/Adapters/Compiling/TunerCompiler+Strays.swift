internal import Kernels
internal import Transformer

/// Tensors that stand in place of the base's own although no setting names them:
///
///     base_model.model.<module>.weight, .bias              of a module that nothing wraps
///     base_model.model.<module>.base_layer.weight, .bias   of a targeted one
///
/// PEFT loads every tensor whose name is that of a parameter of the wrapped model. It says nothing
/// of it; here a warning names them.
///
/// **Source**: `set_peft_model_state_dict` of PEFT 0.21.
struct StrayTensors {
    /// What the base's weight and bias of a module are called.
    typealias Parts = (weight: TensorPart, bias: TensorPart)

    /// At most so many names in one warning.
    private static let nameLimit = 8

    /// False where they can't be served, or PEFT isn't what the file is for.
    var areServed = true
    /// True where the method can be served on other weights of the base than this one's.
    var targetsAreServed = false
    /// True where that holds of embedding and head as well.
    var targetedTablesAreServed = false
    /// Tables that differ from the base's, until the walk over the slots is done.
    var tables: [Slot: AdapterTensor] = [:]
    /// Names of tables that are the base's.
    var sameTables: [Slot: String] = [:]
    fileprivate(set) var names: [String] = []
    /// True where values decided whether there is a warning.
    fileprivate(set) var wereMet = false

    func warnings(file: String) -> [String] {
        guard !names.isEmpty else { return [] }
        let further = names.count - Self.nameLimit
        let listed =
            names.prefix(Self.nameLimit).map { "'\($0)'" }.joined(separator: ", ")
            + (further > 0 ? " and \(further) more" : "")
        return [
            "\(file): in place of the base's own, for this adapter alone, stand tensors that no setting "
                + "names, as in PEFT: \(listed)"
        ]
    }
}

extension TunerCompiler {
    /// What the base's own tensors of a module are called in PEFT's model; nil where none can be
    /// served.
    func strayParts(at slot: Slot, isTargeted: Bool, isSaved: Bool) -> StrayTensors.Parts? {
        guard strays.areServed, !isSaved, !hasTrainedTokens(at: slot) else { return nil }
        guard isTargeted else { return (.weight, .bias) }
        let isTable = slot == .embedding || slot == .linear(.head)
        guard strays.targetsAreServed, !isTable || strays.targetedTablesAreServed else {
            return nil
        }
        return (.baseWeight, .baseBias)
    }

    /// True where the rows of a table are differences to the base's.
    private func hasTrainedTokens(at slot: Slot) -> Bool {
        let isTable = slot == .embedding || slot == .linear(.head)
        guard isTable else { return false }
        let inEmbedding = operators.embedding.contains {
            if case .rows = $0 { true } else { false }
        }
        let inHead = operators.linear[.head, default: []].contains {
            if case .update = $0 { true } else { false }
        }
        if base.configuration.tiesHeadToEmbedding { return inEmbedding || inHead }
        return slot == .embedding ? inEmbedding : inHead
    }

    /// Adds what stands in place of the base's at a slot; tables are added together in the end.
    mutating func addStrays(
        _ parts: StrayTensors.Parts?, at slot: Slot
    ) throws(AdapterError) {
        guard let parts else { return }
        switch slot {
        case .norm(let norm):
            try addStrayGain(parts.weight, norm)
            try addStrayBias(parts.bias, norm)
        case .linear(let linear):
            if linear != .head { try addStrayWeight(parts.weight, linear) }
            try addStrayBias(parts.bias, linear)
        case .embedding: break
        }
    }

    private mutating func addStrayGain(
        _ part: TensorPart, _ norm: NormSlot
    ) throws(AdapterError) {
        guard let tensor = tensors.take(part, at: .norm(norm)) else { return }
        try check(
            tensor, shape: [slots.width(of: norm)],
            reason: "the base's '\(slots.name(of: .norm(norm)))' has this shape")
        strays.wereMet = true
        guard try tensor.floats(file: file) != base.gain(at: norm) else { return }
        operators.norms[norm] = .gain(try floats(tensor))
        try note(tensor)
    }

    private mutating func addStrayWeight(
        _ part: TensorPart, _ linear: LinearSlot
    ) throws(AdapterError) {
        guard let tensor = tensors.take(part, at: .linear(linear)) else { return }
        let shape = slots.shape(of: linear)
        try check(
            tensor, shape: storedShape(shape, at: linear),
            reason: "the base's '\(slots.name(of: .linear(linear)))' has this shape")
        strays.wereMet = true
        let own = base.matrix(at: linear)
        // Steps of blocks are so wide that a trained matrix may lie within them.
        var values = try tensor.floats(file: file)
        if slots.isTransposed(linear) {
            values = Matrices.transposed(values, rowCount: shape.inputCount)
        }
        if own.type.blockElementCount == 1, firstDifference(values, own, tensor) == nil { return }
        let matrix = try replacement(tensor, shape, at: linear)
        append(.replacement(matrix, bias: base.bias(at: linear)), at: linear)
        try note(tensor)
    }

    /// Of a norm without a bias in the base it is left over, and refused.
    private mutating func addStrayBias(
        _ part: TensorPart, _ norm: NormSlot
    ) throws(AdapterError) {
        guard let own = base.bias(at: norm),
            let tensor = tensors.take(part, at: .norm(norm))
        else { return }
        let module = slots.name(of: .norm(norm))
        try check(tensor, shape: [own.count], reason: "'\(module)' has \(own.count) values")
        strays.wereMet = true
        guard try tensor.floats(file: file) != own else { return }
        operators.normBiases[norm] = try floats(tensor)
        try note(tensor)
    }

    /// Of a module without a bias in the base it is left over, and refused.
    private mutating func addStrayBias(
        _ part: TensorPart, _ linear: LinearSlot
    ) throws(AdapterError) {
        guard let own = base.bias(at: linear),
            let tensor = tensors.take(part, at: .linear(linear))
        else { return }
        let module = slots.name(of: .linear(linear))
        try check(tensor, shape: [own.count], reason: "'\(module)' has \(own.count) outputs")
        strays.wereMet = true
        guard try tensor.floats(file: file) != own else { return }
        append(.bias(zip(try floats(tensor), own).map { $0 - $1 }), at: linear)
        try note(tensor)
    }

    /// Puts tables in place of the base's; of a base that has one for both, at both places.
    ///
    /// - Returns: the slots where they stand.
    mutating func addStrayTables(saved: Set<Slot>) throws(AdapterError) -> Set<Slot> {
        strays.wereMet = strays.wereMet || !strays.tables.isEmpty || !strays.sameTables.isEmpty
        guard !strays.tables.isEmpty else { return [] }
        let isOneTable = base.configuration.tiesHeadToEmbedding
        if isOneTable { try checkTablesAgree() }
        var common: PackedMatrix?
        var replaced: Set<Slot> = []
        for slot in [Slot.embedding, .linear(.head)] where !saved.contains(slot) {
            let own = strays.tables[slot]
            guard let tensor = own ?? (isOneTable ? strays.tables.values.first : nil) else {
                continue
            }
            let table: PackedMatrix
            if isOneTable, let common {
                table = common
            } else {
                let shape = LinearShape(
                    outputCount: vocabularyCount, inputCount: slots.hiddenSize)
                table = try replacement(tensor, shape, base: base.weights.embedding)
            }
            common = table
            if slot == .embedding {
                operators.embedding.append(.replacement(table))
            } else {
                append(.replacement(table, bias: base.bias(at: .head)), at: .head)
            }
            replaced.insert(slot)
            if own != nil { try note(tensor) }
        }
        return replaced
    }

    /// Embedding and head are one matrix, and a file may have it twice.
    private func checkTablesAgree() throws(AdapterError) {
        let (embedding, head) = (Slot.embedding, Slot.linear(.head))
        guard let first = strays.tables[embedding] ?? strays.tables[head] else { return }
        let other = strays.tables[head] ?? first
        var pair = (first.name, other.name)
        if let same = strays.sameTables[embedding] ?? strays.sameTables[head] {
            pair = (first.name, same)
        } else if try first.floats(file: file) == other.floats(file: file) {
            return
        }
        throw .invalidValues(
            tensor: pair.1,
            reason: "it has other values than '\(pair.0)', and the base has one table for both",
            file: file)
    }

    private mutating func note(_ tensor: AdapterTensor) throws(AdapterError) {
        guard !isStrict else {
            throw .unknownTensor(
                tensor.name,
                reason:
                    "it stands in place of the base's own, and with --strict-adapters a setting "
                    + "must name it", file: file)
        }
        strays.names.append(tensor.name)
    }
}
