import Checkpoints
import Kernels
import Transformer

/// A tensor of the result, and what its values are computed from.
enum MergeSource: Hashable {
    case matrix(LinearSlot)
    case bias(LinearSlot)
    case embedding
    case gain(NormSlot)
    case normBias(NormSlot)
    /// The table of positions, which no adapter changes.
    case positions

    /// Nil for what is no slot.
    var slot: Slot? {
        switch self {
        case .matrix(let slot), .bias(let slot): .linear(slot)
        case .embedding: .embedding
        case .gain(let slot), .normBias(let slot): .norm(slot)
        case .positions: nil
        }
    }
}

/// Computes tensors of the result one by one, in f32.
struct MergedValues {
    let base: BaseModel
    let parts: [SelectedOperators]
    let pool: WorkerPool
    /// True: matrices are [outputs, inputs] also where safetensors files store them the other way
    /// round.
    var keepsOutputsFirst = false

    /// Tokens of the result's vocabulary.
    var vocabularyCount: Int { parts.vocabulary?.tokenCount ?? base.slots.vocabularyCount }

    /// The tensors that differ from the base's.
    var changed: Set<MergeSource> {
        var changed: Set<MergeSource> = []
        for part in parts {
            for (slot, operators) in part.operators.linear {
                for op in operators {
                    switch op {
                    case .bias: changed.insert(.bias(slot))
                    case .replacement: changed.formUnion([.bias(slot), .matrix(slot)])
                    default: changed.insert(.matrix(slot))
                    }
                }
            }
            changed.formUnion(part.operators.norms.keys.map(MergeSource.gain))
            changed.formUnion(part.operators.normBiases.keys.map(MergeSource.normBias))
            if !part.operators.embedding.isEmpty { changed.insert(.embedding) }
        }
        if parts.vocabulary != nil { changed.formUnion([.embedding, .matrix(.head)]) }
        return changed
    }

    /// True where embedding and head, one table in the base, are one table still: both change, and
    /// by the same up to rounding.
    func changeTableAsOne(_ changed: Set<MergeSource>) -> Bool {
        guard changed.isSuperset(of: [.embedding, .matrix(.head)]),
            let table = try? base.mergedEmbedding(with: parts, pool: pool),
            let head = try? base.merged(at: .head, with: parts, pool: pool).matrix
        else { return false }
        return (0..<table.count).allSatisfy { index in
            let (first, second) = (table.pointer[index], head.pointer[index])
            return abs(first - second) <= 0x1p-20 * max(1, abs(first))
        }
    }

    /// Calls `body` with a tensor's values, row-major.
    func with<Result>(
        _ source: MergeSource,
        _ body: (UnsafeBufferPointer<Float>) throws(MergeError) -> Result
    ) throws(MergeError) -> Result {
        let values =
            switch source {
            case .matrix(let slot): try matrix(slot)
            case .embedding: try base.mergedEmbedding(with: parts, pool: pool)
            case .bias(let slot): copy(bias(slot))
            case .gain(let slot): copy(gain(slot))
            case .normBias(let slot): copy(bias(slot))
            case .positions: base.positionRows(pool: pool)
            }
        defer { withExtendedLifetime(values) {} }
        return try body(UnsafeBufferPointer(start: values.pointer, count: values.count))
    }

    /// Calls `body` with a tensor's values after seeing that a type can hold them.
    ///
    /// - Throws: `MergeError.notFinite`, `.tooLargeForType`.
    func withChecked<Result>(
        _ source: MergeSource, as type: ElementType, name: String, width: Int,
        _ body: (UnsafeBufferPointer<Float>) throws(MergeError) -> Result
    ) throws(MergeError) -> Result {
        try with(source) { (values) throws(MergeError) in
            guard let index = NarrowFloats.firstOverflow(values, in: type) else {
                return try body(values)
            }
            guard values[index].isFinite else {
                throw .notFinite(module: name, row: index / width, column: index % width)
            }
            throw .tooLargeForType(module: name, value: values[index], type: type.rawValue)
        }
    }

    /// The base's bias or the one that replaces it, plus the weighted differences.
    func bias(_ slot: LinearSlot) -> [Float] {
        let operators = parts.flatMap { part in
            (part.operators.linear[slot] ?? []).map { ($0, part.weight) }
        }
        var bias = base.bias(at: slot) ?? []
        for case (.replacement(_, let replacement?), _) in operators { bias = replacement }
        for case (.bias(let difference), let weight) in operators {
            bias = zip(bias, difference).map { $0 + weight * $1 }
        }
        return bias
    }

    /// As checkpoints store it.
    private func matrix(_ slot: LinearSlot) throws(MergeError) -> AlignedBuffer<Float> {
        let merged = try base.merged(at: slot, with: parts, pool: pool)
        guard base.slots.isTransposed(slot), !keepsOutputsFirst else { return merged.matrix }
        let (rowCount, columnCount) = (merged.shape.outputCount, merged.shape.inputCount)
        let stored = AlignedBuffer<Float>(count: rowCount * columnCount)
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                stored.pointer[column * rowCount + row] =
                    merged.matrix.pointer[row * columnCount + column]
            }
        }
        return stored
    }

    func bias(_ slot: NormSlot) -> [Float] {
        parts.lazy.compactMap { $0.operators.normBiases[slot] }.first ?? base.bias(at: slot) ?? []
    }

    func gain(_ slot: NormSlot) -> [Float] {
        for part in parts {
            if case .gain(let gain)? = part.operators.norms[slot] { return gain }
        }
        return base.gain(at: slot)
    }

    private func copy(_ values: [Float]) -> AlignedBuffer<Float> {
        let buffer = AlignedBuffer<Float>(count: values.count)
        for (index, value) in values.enumerated() { buffer.pointer[index] = value }
        return buffer
    }
}
