internal import Transformer

/// Why names of tensors aren't PEFT's: what compilers, parallel training and other models' wrappers
/// leave in them. PEFT passes over such tensors in silence.
enum ForeignNames {
    /// Of a name that doesn't begin as PEFT's do.
    static func reason(_ name: String, prefix: String) -> String {
        guard let range = name.firstRange(of: prefix) else {
            return "PEFT's names begin with '\(prefix)'"
        }
        return
            "'\(name[..<range.lowerBound])' stands before PEFT's '\(prefix)': a wrapper left it, and "
            + "PEFT would pass over the tensor; rename the tensors without it"
    }

    /// Of a module that the base doesn't have.
    static func reason(module: String, _ slots: SlotTable) -> String {
        // Of the decoder without its head, for example `model.`.
        let decoder = slots.name(of: .embedding).prefix { $0 != "." } + "."
        if slots.slot(named: decoder + module) != nil {
            return
                "the base has no module '\(module)' but '\(decoder)\(module)': '\(decoder)' is missing, as "
                + "where the bare decoder was trained; PEFT would pass over the tensor; rename the tensors"
        }
        let components = module.split(separator: ".")
        for place in components.indices.prefix(16) {
            var others = components
            let wrapper = others.remove(at: place)
            let name = others.joined(separator: ".")
            guard slots.slot(named: name) != nil else { continue }
            return
                "the base has no module '\(module)' but '\(name)': '\(wrapper).' is another wrapper's, "
                + "and PEFT would pass over the tensor; rename the tensors without it"
        }
        return "the base has no module '\(module)'"
    }
}
