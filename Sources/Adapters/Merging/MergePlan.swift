import Checkpoints
import Kernels
import Transformer

/// Which tensors a merged Hugging Face checkpoint has, of which type, and where each comes from.
struct MergePlan {
    struct Entry {
        let tensor: SafetensorsWriter.Tensor
        let source: MergeSource
    }

    let entries: [Entry]

    init(
        values: MergedValues, checkpoint: BaseCheckpoint, untiesHead: Bool, weightType: WeightType?
    ) {
        let base = values.base
        let isTied = base.configuration.tiesHeadToEmbedding
        let types = StoredTypes(checkpoint: checkpoint, base: base, chosen: weightType)
        let slots = base.slots
        var entries: [Entry] = []
        func add(_ name: String, _ type: ElementType, _ shape: [Int], _ source: MergeSource) {
            entries.append(
                Entry(tensor: .init(name: name, elementType: type, shape: shape), source: source))
        }
        for slot in slots.all {
            let name = slots.name(of: slot)
            switch slot {
            case .embedding:
                add(
                    name + ".weight", types.type(of: base.weights.embedding),
                    [values.vocabularyCount, slots.hiddenSize], .embedding)
                if let table = base.configuration.embedding.positions {
                    add(
                        table.name + ".weight", types.type(of: base.weights.embedding),
                        [table.count, slots.hiddenSize], .positions)
                }
            case .norm(let norm):
                let tensor = name + ".weight"
                add(tensor, types.type(ofVector: tensor), [slots.width(of: norm)], .gain(norm))
                guard slots.hasBias(norm) else { break }
                let bias = name + ".bias"
                add(bias, types.type(ofVector: bias), [slots.width(of: norm)], .normBias(norm))
            case .linear(.head) where isTied && !untiesHead: break
            case .linear(let linear) where slots.onlyStacked(linear) != nil:
                guard let stacked = slots.onlyStacked(linear), stacked.index == 0 else { break }
                let shape = slots.shape(of: linear)
                add(
                    slots.stackedName(stacked.name, of: linear),
                    types.type(of: base.matrix(at: linear)),
                    stacked.shape(inputCount: shape.inputCount), .stack(linear))
                guard let bias = stacked.biasName else { break }
                let tensor = slots.stackedName(bias, of: linear)
                add(
                    tensor, types.type(ofVector: tensor), [stacked.count, shape.outputCount],
                    .biasStack(linear))
            case .linear(let linear):
                let shape = base.mergedShape(of: linear, with: values.parts)
                add(
                    name + ".weight", types.type(of: base.matrix(at: linear)),
                    slots.isTransposed(linear)
                        ? [shape.inputCount, shape.outputCount]
                        : [shape.outputCount, shape.inputCount], .matrix(linear))
                guard slots.hasBias(linear) else { break }
                let tensor = name + ".bias"
                add(tensor, types.type(ofVector: tensor), [shape.outputCount], .bias(linear))
            }
        }
        for (index, layer) in base.configuration.layers.enumerated() {
            guard let sinks = layer.attention.sinks else { continue }
            let name = "\(layer.name).\(sinks)"
            add(
                name, types.type(ofVector: name), [layer.attention.queryHeadCount],
                .sinks(layer: index))
        }
        self.entries = entries
    }
}

/// The type that each tensor of the result gets.
private struct StoredTypes {
    let checkpoint: BaseCheckpoint
    let base: BaseModel
    let chosen: WeightType?

    func type(of matrix: PackedMatrix) -> ElementType {
        Self.elementType(chosen ?? matrix.type)
    }

    /// Vectors are f32 in memory, whatever they were in the file: Hugging Face's files tell.
    func type(ofVector name: String) -> ElementType {
        if let chosen { return Self.elementType(chosen) }
        if checkpoint.kind == .huggingFace || checkpoint.kind == .safetensors,
            let stored = checkpoint.tensors.tensor(name)?.elementType,
            stored == .f32 || stored == .f16 || stored == .bf16
        {
            return stored
        }
        return Self.elementType(base.weightType)
    }

    private static func elementType(_ type: WeightType) -> ElementType {
        switch type {
        case .f32: .f32
        case .bf16: .bf16
        case .f16, .q8_0, .q4_0, .q4_1: .f16
        }
    }
}
