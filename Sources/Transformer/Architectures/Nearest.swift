package import Checkpoints
internal import StrictJSON

/// What a model that isn't served has in common with one that is.
package struct NearestArchitecture {
    /// As `config.json` names it.
    package let modelType: String
    /// Tensors of the checkpoint that the architecture has too, of all of them.
    package let sharedCount: Int
    package let tensorCount: Int
    /// Modules of the first layer that the architecture doesn't have, without the layer's name.
    package let foreignModules: [String]
    /// Modules that it has and the checkpoint lacks.
    package let missingModules: [String]

    /// - Returns: nil for a checkpoint that is served, or that has no tensor in common with any.
    package init?(_ checkpoint: BaseCheckpoint) {
        let names = checkpoint.tensors.tensorNames
        let reader = SettingReader(
            object: checkpoint.configuration, file: checkpoint.tensors.path)
        guard (try? Architectures.named(reader)) == nil else { return nil }
        var best: (type: String, own: Set<String>, shared: Int)?
        for architecture in Architectures.all {
            guard let type = architecture.modelTypes.first else { continue }
            var object = checkpoint.configuration
            object["model_type"] = .string(type)
            let reader = SettingReader(object: object, file: reader.file)
            guard let spec = try? architecture.spec(reader) else { continue }
            var own = Self.tensorNames(SlotTable(spec))
            if spec.tiesHeadToEmbedding { own.remove(spec.head.name + ".weight") }
            let shared = names.reduce(0) { $0 + (own.contains($1) ? 1 : 0) }
            if shared > best?.shared ?? 0 { best = (type, own, shared) }
        }
        guard let best else { return nil }
        modelType = best.type
        sharedCount = best.shared
        tensorCount = names.count
        foreignModules = Self.modules(of: Set(names).subtracting(best.own))
        missingModules = Self.modules(of: best.own.subtracting(names))
    }

    /// What stands in the way, in one sentence.
    package var sentence: String {
        func list(_ names: [String]) -> String {
            let shown = names.prefix(4).map { "'\($0)'" }.joined(separator: ", ")
            return names.count > 4 ? "\(shown) and \(names.count - 4) more" : shown
        }
        var text =
            "the nearest that is served is \(modelType), which has \(sharedCount) of its "
            + "\(tensorCount) tensors"
        if !foreignModules.isEmpty { text += "; \(modelType) has no \(list(foreignModules))" }
        if !missingModules.isEmpty { text += "; it lacks \(list(missingModules))" }
        return text
    }

    private static func tensorNames(_ slots: SlotTable) -> Set<String> {
        var names: Set<String> = []
        for slot in slots.all {
            names.insert(slots.weightName(of: slot))
            switch slot {
            case .linear(let linear) where slots.hasBias(linear):
                names.insert(slots.biasName(of: slot))
            case .norm(let norm) where slots.hasBias(norm): names.insert(slots.biasName(of: slot))
            default: break
            }
        }
        return names
    }

    /// Each kind of module once, whatever its layer.
    private static func modules(of names: Set<String>) -> [String] {
        Set(
            names.map { name in
                name.split(separator: ".").map { $0.allSatisfy(\.isNumber) ? "*" : String($0) }
                    .joined(separator: ".")
            }
        ).sorted()
    }
}
