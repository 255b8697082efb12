internal import Transformer

/// The tensors of a LoRA file, sorted to the slots that they are for. What is taken is gone, so that
/// nothing can be left over unnoticed.
struct LoRATensors {
    /// What a tensor is to its module.
    enum Part: String, CaseIterable {
        // Longer endings stand before the shorter ones that they contain.
        case factorA = ".lora_A.weight"
        case factorB = ".lora_B.weight"
        case biasOfB = ".lora_B.bias"
        case embeddingA = ".lora_embedding_A"
        case embeddingB = ".lora_embedding_B"
        case baseWeight = ".base_layer.weight"
        case baseBias = ".base_layer.bias"
        case weight = ".weight"
        case bias = ".bias"
    }

    private static let prefix = "base_model.model."

    let file: String
    private let slots: SlotTable
    private var parts: [Slot: [Part: AdapterTensor]] = [:]

    /// - Throws: `AdapterError.unknownTensor` for names that mean nothing to LoRA or to the base.
    init(_ file: AdapterFile, slots: SlotTable) throws(AdapterError) {
        self.file = file.tensorFile
        self.slots = slots
        for tensor in file.tensors {
            let (slot, part) = try place(of: tensor)
            parts[slot, default: [:]][part] = tensor
        }
    }

    mutating func take(_ part: Part, at slot: Slot) -> AdapterTensor? {
        parts[slot]?.removeValue(forKey: part)
    }

    /// - Parameter reason: why it must be there, for the message.
    /// - Throws: `AdapterError.missingTensor`.
    mutating func require(
        _ part: Part, at slot: Slot, reason: String
    ) throws(AdapterError) -> AdapterTensor {
        guard let tensor = take(part, at: slot) else {
            throw .missingTensor(
                Self.prefix + slots.name(of: slot) + part.rawValue, reason: reason, file: file)
        }
        return tensor
    }

    func has(_ part: Part, at slot: Slot) -> Bool { parts[slot]?[part] != nil }

    /// - Throws: `AdapterError.unknownTensor` for the first tensor that nobody took.
    func checkNothingIsLeft() throws(AdapterError) {
        let left = parts.flatMap { slot, tensors in tensors.map { (slot, $0.key, $0.value) } }
        guard let (slot, part, tensor) = left.min(by: { $0.2.name < $1.2.name }) else { return }
        throw .unknownTensor(
            tensor.name, reason: reason(for: part, of: slots.name(of: slot)), file: file)
    }

    private func reason(for part: Part, of module: String) -> String {
        switch part {
        case .factorA, .factorB, .embeddingA, .embeddingB:
            "the configuration's 'target_modules' don't target '\(module)', or it is of another kind"
        case .biasOfB: "the configuration doesn't set 'lora_bias', or doesn't target '\(module)'"
        case .baseBias, .bias: "the configuration's 'bias' doesn't include that of '\(module)'"
        case .baseWeight: "'\(module)' is not targeted, so that its base weight has no place here"
        case .weight: "the configuration's 'modules_to_save' doesn't name '\(module)'"
        }
    }

    private func place(of tensor: AdapterTensor) throws(AdapterError) -> (Slot, Part) {
        guard tensor.name.hasPrefix(Self.prefix) else {
            throw unknown(tensor, "PEFT's names begin with '\(Self.prefix)'")
        }
        let name = tensor.name.dropFirst(Self.prefix.count)
        guard let part = Part.allCases.first(where: { name.hasSuffix($0.rawValue) }) else {
            throw unknown(tensor, Self.foreignReason(name))
        }
        let module = String(name.dropLast(part.rawValue.count))
        guard let slot = slots.slot(named: module) else {
            throw unknown(tensor, missingModuleReason(module))
        }
        return (slot, part)
    }

    private func unknown(_ tensor: AdapterTensor, _ reason: String) -> AdapterError {
        .unknownTensor(tensor.name, reason: reason, file: file)
    }

    private static func foreignReason(_ name: Substring) -> String {
        if name.hasSuffix(".lora_magnitude_vector") {
            return "it is DoRA's magnitude, which can't be served yet"
        }
        if name.hasSuffix(".trainable_tokens_delta") {
            return "it holds trained tokens, which can't be served yet"
        }
        return "LoRA has no tensor of this kind"
    }

    private func missingModuleReason(_ module: String) -> String {
        let components = module.split(separator: ".")
        if let place = components.firstIndex(of: "layers"), place + 1 < components.count,
            let layer = Int(components[place + 1]), layer >= slots.layerCount
        {
            return "it is for layer \(layer), the base has layers 0 to \(slots.layerCount - 1)"
        }
        return "the base has no module '\(module)'"
    }
}
