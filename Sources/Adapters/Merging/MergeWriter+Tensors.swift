import Checkpoints
import Kernels
import Transformer

extension MergeWriter {
    /// Computes a tensor only where it can fail: where it differs from the base or changes type.
    ///
    /// - Throws: `MergeError.notFinite`, `.tooLargeForType`.
    func check(_ entry: MergePlan.Entry) throws(MergeError) {
        guard
            plan.changed.contains(slot(of: entry)) || options.weightType != nil
                || base.weightType.blockElementCount > 1
        else { return }
        try withValues(of: entry) { (values) throws(MergeError) in
            guard let index = NarrowFloats.firstOverflow(values, in: entry.tensor.elementType)
            else { return }
            guard values[index].isFinite else {
                let width = entry.tensor.shape.last ?? 1
                throw .notFinite(
                    module: entry.tensor.name, row: index / width, column: index % width)
            }
            throw .tooLargeForType(
                module: entry.tensor.name, value: values[index],
                type: entry.tensor.elementType.rawValue)
        }
    }

    /// A tensor's bytes in its type.
    func bytes(of entry: MergePlan.Entry) throws(MergeError) -> [UInt8] {
        try withValues(of: entry) { (values) throws(MergeError) in
            NarrowFloats.bytes(values, as: entry.tensor.elementType)
        }
    }

    private func slot(of entry: MergePlan.Entry) -> Slot {
        switch entry.source {
        case .matrix(let slot), .bias(let slot): .linear(slot)
        case .embedding: .embedding
        case .gain(let slot): .norm(slot)
        }
    }

    /// Calls `body` with a tensor's values in f32.
    private func withValues<Result>(
        of entry: MergePlan.Entry,
        _ body: (UnsafeBufferPointer<Float>) throws(MergeError) -> Result
    ) throws(MergeError) -> Result {
        switch entry.source {
        case .matrix(let slot):
            let merged = try base.merged(at: slot, with: parts, pool: pool)
            return try withBuffer(merged.matrix, body)
        case .embedding:
            let merged = try base.mergedEmbedding(with: parts, pool: pool)
            return try withBuffer(merged, body)
        case .bias(let slot):
            return try withBuffer(copy(try mergedBias(slot)), body)
        case .gain(let slot):
            return try withBuffer(copy(mergedGain(slot)), body)
        }
    }

    /// The base's bias or the one that replaces it, plus the weighted differences.
    private func mergedBias(_ slot: LinearSlot) throws(MergeError) -> [Float] {
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

    private func mergedGain(_ slot: NormSlot) -> [Float] {
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

    private func withBuffer<Result>(
        _ buffer: AlignedBuffer<Float>,
        _ body: (UnsafeBufferPointer<Float>) throws(MergeError) -> Result
    ) throws(MergeError) -> Result {
        defer { withExtendedLifetime(buffer) {} }
        return try body(UnsafeBufferPointer(start: buffer.pointer, count: buffer.count))
    }
}
