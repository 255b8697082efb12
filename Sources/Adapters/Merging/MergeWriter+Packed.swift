internal import Checkpoints
internal import Kernels
internal import Transformer

// The result as a `model.bin`.
extension MergeWriter {
    func writePacked(
        to path: String, progress: (Double) -> Void
    ) throws(AdapterError) -> MergeReport {
        try checkVacant(path)
        var replaced = BaseModel.Replacements()
        replaced.tokenizer = tokenizer
        for (index, source) in changed.enumerated() {
            do { try add(source, to: &replaced) } catch { throw .merge(error) }
            progress(0.5 * Double(index + 1) / Double(changed.count))
        }
        do throws(TransformerError) {
            let merged = try BaseModel(base, with: replaced, configuration: configuration)
            try merged.writePacked(to: path) { progress(0.5 + $0 / 2) }
            return report(fileNames: [path], tensorCount: merged.tensorCount, notes: [])
        } catch { throw .unwritable(path: path, reason: error.description) }
    }

    private func add(
        _ source: MergeSource, to replaced: inout BaseModel.Replacements
    ) throws(MergeError) {
        switch source {
        case .gain(let slot): replaced.gains[slot] = values.gain(slot)
        case .normBias(let slot): replaced.normBiases[slot] = values.bias(slot)
        case .positions: break
        case .bias(let slot):
            if base.slots.hasBias(slot) { replaced.biases[slot] = values.bias(slot) }
        case .matrix(.head) where base.configuration.tiesHeadToEmbedding && !untiesHead: break
        case .matrix(let slot):
            replaced.linear[slot] = try packed(
                source, like: base.matrix(at: slot), name: base.slots.name(of: .linear(slot)))
        case .embedding:
            replaced.embedding = try packed(
                source, like: base.weights.embedding, name: base.slots.name(of: .embedding))
        }
    }

    private func packed(
        _ source: MergeSource, like own: PackedMatrix, name: String
    ) throws(MergeError) -> PackedMatrix {
        let type = options.weightType ?? own.type
        guard own.inputCount % type.blockElementCount == 0,
            let elementType = ElementType(rawValue: type.rawValue)
        else { throw .noWholeBlocks(module: name, inputCount: own.inputCount, type: type.rawValue) }
        var values = values
        values.keepsOutputsFirst = true
        return try values.withChecked(source, as: elementType, name: name, width: own.inputCount) {
            (values) throws(MergeError) in
            NarrowFloats.bytes(values, as: elementType, pool: pool).withUnsafeBytes {
                PackedMatrix(
                    packing: WeightMatrix(
                        pointer: $0.baseAddress!, type: type,
                        outputCount: values.count / own.inputCount, inputCount: own.inputCount),
                    pool: pool)
            }
        }
    }
}
