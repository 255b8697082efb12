internal import Transformer

/// What a tensor is to its module: how its name ends.
struct TensorPart: Hashable, Sendable {
    let suffix: String
    /// Why a tensor of this part can be left over, for messages.
    let leftover: @Sendable (_ module: String) -> String

    /// A part of the method's own.
    init(_ suffix: String) {
        self.init(suffix) {
            "the configuration's 'target_modules' don't target '\($0)', or it is of another kind"
        }
    }

    init(_ suffix: String, leftover: @escaping @Sendable (_ module: String) -> String) {
        self.suffix = suffix
        self.leftover = leftover
    }

    static func == (left: TensorPart, right: TensorPart) -> Bool { left.suffix == right.suffix }

    func hash(into hasher: inout Hasher) { hasher.combine(suffix) }

    static let baseWeight = TensorPart(".base_layer.weight") {
        "'\($0)' is not targeted, so that its base weight has no place here"
    }
    static let baseBias = TensorPart(".base_layer.bias") {
        "the configuration's 'bias' doesn't include that of '\($0)'"
    }
    static let weight = TensorPart(".weight") {
        "the configuration's 'modules_to_save' doesn't name '\($0)'"
    }
    static let bias = TensorPart(".bias") {
        "the configuration's 'bias' doesn't include that of '\($0)'"
    }
    /// Those of every method.
    static let common = [
        baseWeight, baseBias, weight, bias, tokenBaseWeight, savedModule, originalModule, savedBias,
        originalBias,
    ]
}

/// The tensors of an adapter, sorted to the slots that they are for. What is taken is gone, so that
/// nothing can be left over unnoticed.
struct TunerTensors {
    static let prefix = PEFTAdapter.prefix

    let file: String
    /// What stands before the names of modules.
    let prefix: String
    private let slots: SlotTable
    /// Longer endings stand before shorter ones, which they may contain.
    private let known: [TensorPart]
    private let method: String
    private var parts: [Slot: [TensorPart: AdapterTensor]] = [:]
    private var shared: [String: AdapterTensor] = [:]

    /// - Parameters:
    ///   - method: its name, for messages.
    ///   - parts: what the method's tensors of modules are called.
    ///   - shared: whole names of tensors that belong to no module.
    ///   - prefix: what stands before the names of modules.
    /// - Throws: `AdapterError.unknownTensor` for names that mean nothing to method or base.
    init(
        _ file: AdapterFile, slots: SlotTable, method: String, parts: [TensorPart],
        shared: Set<String> = [], prefix: String = Self.prefix
    ) throws(AdapterError) {
        self.file = file.tensorFile
        self.prefix = prefix
        self.slots = slots
        self.method = method
        known = (parts + TensorPart.common).sorted { $0.suffix.utf8.count > $1.suffix.utf8.count }
        for tensor in file.tensors {
            if shared.contains(tensor.name) {
                self.shared[tensor.name] = tensor
                continue
            }
            let (slot, part) = try place(of: tensor)
            self.parts[slot, default: [:]][part] = tensor
        }
    }

    mutating func take(_ part: TensorPart, at slot: Slot) -> AdapterTensor? {
        parts[slot]?.removeValue(forKey: part)
    }

    /// - Parameter reason: why it must be there, for the message.
    /// - Throws: `AdapterError.missingTensor`.
    mutating func require(
        _ part: TensorPart, at slot: Slot, reason: String
    ) throws(AdapterError) -> AdapterTensor {
        guard let tensor = take(part, at: slot) else {
            throw .missingTensor(
                prefix + slots.name(of: slot) + part.suffix, reason: reason, file: file)
        }
        return tensor
    }

    /// A tensor that belongs to no module, by its whole name.
    mutating func takeShared(_ name: String) -> AdapterTensor? {
        shared.removeValue(forKey: name)
    }

    func hasShared(_ name: String) -> Bool { shared[name] != nil }

    /// - Throws: `AdapterError.missingTensor`.
    mutating func requireShared(_ name: String, reason: String) throws(AdapterError)
        -> AdapterTensor
    {
        guard let tensor = takeShared(name) else {
            throw .missingTensor(name, reason: reason, file: file)
        }
        return tensor
    }

    /// The shape of a tensor that nobody took yet; nil where there is none.
    func shape(_ part: TensorPart, at slot: Slot) -> [Int]? { parts[slot]?[part]?.shape }

    /// A tensor that is left for another to take.
    func peek(_ part: TensorPart, at slot: Slot) -> AdapterTensor? { parts[slot]?[part] }

    func has(_ part: TensorPart, at slot: Slot) -> Bool { parts[slot]?[part] != nil }

    /// - Throws: `AdapterError.unknownTensor` for the first tensor that nobody took.
    func checkNothingIsLeft() throws(AdapterError) {
        if let name = shared.keys.min() {
            throw .unknownTensor(
                name, reason: "the configuration doesn't ask for it", file: file)
        }
        let left = parts.flatMap { slot, tensors in tensors.map { (slot, $0.key, $0.value) } }
        guard let (slot, part, tensor) = left.min(by: { $0.2.name < $1.2.name }) else { return }
        throw .unknownTensor(
            tensor.name, reason: part.leftover(slots.name(of: slot)), file: file)
    }

    private func place(of tensor: AdapterTensor) throws(AdapterError) -> (Slot, TensorPart) {
        guard tensor.name.hasPrefix(prefix) else {
            throw unknown(tensor, "PEFT's names begin with '\(prefix)'")
        }
        let name = tensor.name.dropFirst(prefix.count)
        guard let part = known.first(where: { name.utf8.ends(with: $0.suffix.utf8) }) else {
            throw unknown(tensor, foreignReason())
        }
        let module = String(name.dropLast(part.suffix.utf8.count))
        guard let slot = slots.slot(named: module) else {
            throw unknown(tensor, missingModuleReason(module))
        }
        return (slot, part)
    }

    private func unknown(_ tensor: AdapterTensor, _ reason: String) -> AdapterError {
        .unknownTensor(tensor.name, reason: reason, file: file)
    }

    private func foreignReason() -> String {
        "\(method) has no tensor of this kind"
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

extension Substring.UTF8View {
    /// Byte by byte, where `hasSuffix` goes by characters: names are compared by the thousand.
    fileprivate func ends(with ending: String.UTF8View) -> Bool {
        suffix(ending.count).elementsEqual(ending)
    }
}
