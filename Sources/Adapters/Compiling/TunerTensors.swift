internal import StrictJSON
internal import Transformer

/// What a tensor is to its module: how its name ends.
struct TensorPart: Hashable, Sendable {
    let suffix: String
    /// Other endings that PEFT reads as this one: first of all those of its own model, with the
    /// adapter's name in them.
    let spellings: [String]
    /// Why a tensor of this part can be left over, for messages.
    let leftover: @Sendable (_ module: String) -> String

    /// A part of the method's own.
    init(_ suffix: String) {
        self.init(suffix) {
            "the configuration's 'target_modules' don't target '\($0)', or it is of another kind"
        }
    }

    /// - Parameter spellings: nil: the one with PEFT's name of an adapter, `default`.
    init(
        _ suffix: String, spellings: [String]? = nil,
        leftover: @escaping @Sendable (_ module: String) -> String
    ) {
        self.suffix = suffix
        self.spellings = spellings ?? [Self.named(suffix)]
        self.leftover = leftover
    }

    /// `.lora_A.default.weight` of `.lora_A.weight`.
    private static func named(_ suffix: String) -> String {
        let components = suffix.dropFirst().split(separator: ".")
        return ([""] + components.prefix(1) + ["default"] + components.dropFirst())
            .joined(separator: ".")
    }

    static func == (left: TensorPart, right: TensorPart) -> Bool { left.suffix == right.suffix }

    func hash(into hasher: inout Hasher) { hasher.combine(suffix) }

    static let baseWeight = TensorPart(".base_layer.weight", spellings: []) {
        "it would stand in place of the base's own '\($0)', which isn't served of this module and method"
    }
    static let baseBias = TensorPart(".base_layer.bias", spellings: []) {
        "the configuration's 'bias' doesn't include that of '\($0)'"
    }
    static let weight = TensorPart(".weight", spellings: []) {
        "the configuration's 'modules_to_save' doesn't name '\($0)', and PEFT has no tensor of this name "
            + "there"
    }
    static let bias = TensorPart(".bias", spellings: []) {
        "the configuration's 'bias' doesn't include that of '\($0)', and PEFT has no tensor of this name "
            + "there"
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
    private let known: [(ending: String, part: TensorPart)]
    /// Of a fused layer of an older release of PEFT.
    private let isFused: Bool
    private let method: String
    private var parts: [Slot: [TensorPart: AdapterTensor]] = [:]
    private var shared: [String: AdapterTensor] = [:]
    /// One with PEFT's name of an adapter in its name, and how many there are.
    private var named: (first: String, count: Int)?

    /// - Parameters:
    ///   - method: its name, for messages.
    ///   - parts: what the method's tensors of modules are called.
    ///   - shared: whole names of tensors that belong to no module.
    ///   - sharedTakeDefault: whether those may have an adapter's name, `default`, behind them.
    ///   - prefix: what stands before the names of modules.
    /// - Throws: `AdapterError.unknownTensor` for names that mean nothing to method or base.
    init(
        _ file: AdapterFile, slots: SlotTable, method: String, parts: [TensorPart],
        shared: Set<String> = [], sharedTakeDefault: Bool = false, prefix: String = Self.prefix
    ) throws(AdapterError) {
        self.file = file.tensorFile
        self.prefix = prefix
        self.slots = slots
        self.method = method
        isFused = file.configuration.object["enable_lora"].map { !$0.isUnset } ?? false
        known = (parts + TensorPart.common)
            .flatMap { part in ([part.suffix] + part.spellings).map { ($0, part) } }
            .sorted { $0.0.utf8.count > $1.0.utf8.count }
        for tensor in file.tensors {
            if let name = sharedName(tensor.name, among: shared, takeDefault: sharedTakeDefault) {
                if let other = self.shared.updateValue(tensor, forKey: name) {
                    throw unknown(tensor, "'\(other.name)' stands for the same weights")
                }
                continue
            }
            let (slot, part) = try place(of: tensor)
            if let other = self.parts[slot]?[part] {
                throw unknown(tensor, "'\(other.name)' stands for the same weights")
            }
            self.parts[slot, default: [:]][part] = tensor
        }
    }

    /// The whole name that a tensor of no module is asked for by; nil for others.
    private mutating func sharedName(
        _ name: String, among shared: Set<String>, takeDefault: Bool
    ) -> String? {
        if shared.contains(name) { return name }
        guard takeDefault, name.utf8.ends(with: Self.defaultName.utf8) else { return nil }
        let plain = String(name.dropLast(Self.defaultName.utf8.count))
        guard shared.contains(plain) else { return nil }
        note(named: name)
        return plain
    }

    private static let defaultName = ".default"

    private mutating func note(named name: String) {
        named = (named?.first ?? name, (named?.count ?? 0) + 1)
    }

    /// What is to be said of the names.
    var warnings: [String] {
        guard let named else { return [] }
        let further = named.count > 1 ? " and \(named.count - 1) more" : ""
        return [
            "\(file): '\(named.first)'\(further) were read without the adapter's name 'default' in them, "
                + "as PEFT does"
        ]
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

    /// The shape of a tensor that belongs to no module; nil where there is none.
    func sharedShape(_ name: String) -> [Int]? { shared[name]?.shape }

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

    private mutating func place(
        of tensor: AdapterTensor
    ) throws(AdapterError) -> (Slot, TensorPart) {
        guard tensor.name.hasPrefix(prefix) else {
            throw unknown(tensor, ForeignNames.reason(tensor.name, prefix: prefix))
        }
        let name = tensor.name.dropFirst(prefix.count)
        guard let (ending, part) = known.first(where: { name.utf8.ends(with: $0.ending.utf8) })
        else { throw unknown(tensor, foreignReason()) }
        let module = String(name.dropLast(ending.utf8.count))
        guard let slot = slots.slot(named: module) else {
            throw unknown(tensor, missingModuleReason(module))
        }
        if ending != part.suffix, ending.contains(Self.defaultName) { note(named: tensor.name) }
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
        let known = slots.name(of: SublayerSlot(layer: 0, sublayer: .attention))
            .split(separator: ".")
        if let place = known.firstIndex(of: "0"), place < components.count,
            components[..<place] == known[..<place], let layer = Int(components[place]),
            layer >= slots.layerCount
        {
            return "it is for layer \(layer), the base has layers 0 to \(slots.layerCount - 1)"
        }
        return ForeignNames.reason(module: module, slots)
            + (isFused ? "; 'enable_lora' is of a fused layer of an older PEFT" : "")
    }
}

extension BidirectionalCollection<UInt8> {
    /// Byte by byte, where `hasSuffix` goes by characters: names are compared by the thousand.
    fileprivate func ends(with ending: String.UTF8View) -> Bool {
        self.suffix(ending.count).elementsEqual(ending)
    }
}
