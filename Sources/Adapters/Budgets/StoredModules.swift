internal import Transformer

/// Which modules of a base a file has tensors for, told by their names alone.
struct StoredModules {
    /// Shapes of the tensors of a module, by how their names end.
    typealias Tensors = [String: [Int]]

    private let slots: SlotTable
    private var tensors: [Slot: Tensors] = [:]

    init(_ file: AdapterFile, base: BaseModel) {
        slots = base.slots
        for tensor in file.tensors {
            guard let (slot, suffix) = Self.place(of: tensor.name, slots) else { continue }
            tensors[slot, default: [:]][suffix] = tensor.shape
        }
    }

    /// The modules that an adapter changes; where it has no tensors for modules, those that its
    /// settings name.
    func targets(
        _ footprint: MethodFootprint, _ file: AdapterFile
    ) -> [(shape: LinearShape, tensors: Tensors)] {
        let named: [(Slot, Tensors)] =
            footprint.targetsBySettings
            ? settingsTargets(file).map { ($0, [:]) } : tensors.map { ($0.key, $0.value) }
        return named.compactMap { slot, tensors in
            switch slot {
            case .linear(let linear): (slots.shape(of: linear), tensors)
            case .embedding:
                (
                    LinearShape(
                        outputCount: slots.vocabularyCount, inputCount: slots.hiddenSize), tensors
                )
            case .norm: nil
            }
        }
    }

    /// None where the settings are such that reading refuses them.
    private func settingsTargets(_ file: AdapterFile) -> [Slot] {
        var configuration = file.configuration
        guard let targets = try? TargetModules(&configuration) else { return [] }
        return slots.all.filter { slot in
            (try? targets.contains(
                slots.name(of: slot), isLinearBelowHead: slot.isLinearBelowHead)) ?? false
        }
    }

    /// The slot whose name a tensor's begins with, after PEFT's prefix.
    private static func place(of name: String, _ slots: SlotTable) -> (Slot, suffix: String)? {
        guard name.hasPrefix(PEFTAdapter.prefix) else { return nil }
        var module = name.dropFirst(PEFTAdapter.prefix.count)
        while let dot = module.lastIndex(of: ".") {
            let suffix = name[dot...]
            module = module[..<dot]
            if let slot = slots.slot(named: String(module)) { return (slot, String(suffix)) }
        }
        return nil
    }
}
