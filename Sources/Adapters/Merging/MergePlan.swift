import Checkpoints
import Kernels
import Transformer

/// Which tensors a merged checkpoint has, of which type, and where each comes from.
struct MergePlan {
    /// What the values of a tensor are computed from.
    enum Source {
        case matrix(LinearSlot)
        case bias(LinearSlot)
        case embedding
        case gain(NormSlot)
    }

    struct Entry {
        let tensor: SafetensorsWriter.Tensor
        let source: Source
    }

    let entries: [Entry]
    let changed: Set<Slot>
    let untiesHead: Bool
    let vocabularyCount: Int

    init(
        base: BaseModel, checkpoint: BaseCheckpoint, parts: [SelectedOperators],
        weightType: WeightType?
    ) {
        var changed = Self.changedSlots(parts)
        let isTied = base.configuration.tiesHeadToEmbedding
        var untiesHead =
            isTied && (changed.contains(.embedding) || changed.contains(.linear(.head)))
        let vocabulary = parts.vocabulary
        if let vocabulary {
            changed.formUnion([.embedding, .linear(.head)])
            untiesHead = untiesHead || isTied && vocabulary.embedding !== vocabulary.head
        }
        let types = StoredTypes(checkpoint: checkpoint, base: base, chosen: weightType)
        let slots = base.slots
        var entries: [Entry] = []
        func add(_ name: String, _ type: ElementType, _ shape: [Int], _ source: Source) {
            entries.append(
                Entry(tensor: .init(name: name, elementType: type, shape: shape), source: source))
        }
        for slot in slots.all {
            let name = slots.name(of: slot)
            switch slot {
            case .embedding:
                add(
                    name + ".weight", types.type(of: base.weights.embedding),
                    [vocabulary?.tokenCount ?? slots.vocabularyCount, slots.hiddenSize],
                    .embedding)
            case .norm(let norm):
                let tensor = name + ".weight"
                add(tensor, types.type(ofVector: tensor), [slots.hiddenSize], .gain(norm))
            case .linear(.head) where isTied && !untiesHead: break
            case .linear(let linear):
                let shape = base.mergedShape(of: linear, with: parts)
                add(
                    name + ".weight", types.type(of: base.matrix(at: linear)),
                    [shape.outputCount, shape.inputCount], .matrix(linear))
                guard slots.hasBias(linear) else { break }
                let tensor = name + ".bias"
                add(tensor, types.type(ofVector: tensor), [shape.outputCount], .bias(linear))
            }
        }
        self.entries = entries
        self.changed = changed
        self.untiesHead = untiesHead
        vocabularyCount = vocabulary?.tokenCount ?? slots.vocabularyCount
    }

    private static func changedSlots(_ parts: [SelectedOperators]) -> Set<Slot> {
        var changed: Set<Slot> = []
        for part in parts {
            changed.formUnion(part.operators.linear.keys.map(Slot.linear))
            changed.formUnion(part.operators.norms.keys.map(Slot.norm))
            if !part.operators.embedding.isEmpty { changed.insert(.embedding) }
        }
        return changed
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
