/// Every slot of a base: its module name in checkpoints, its shape, and where in the forward pass
/// it acts.
///
/// Adapters are matched against it by module name; plans and weights are indexed by it.
public struct SlotTable: Sendable {
    public let layerCount: Int
    public let hiddenSize: Int
    public let vocabularyCount: Int
    /// The slots of each layer.
    package let layers: [LayerSlots]
    /// By index.
    private let linears: [LinearRecord]
    private let norms: [NormRecord]
    private let sublayerNames: [String]
    private let embeddingName: String
    private let otherHeadName: String?
    private let slotsByName: [String: Slot]
    /// Every slot, in forward order.
    public let all: [Slot]

    private struct LinearRecord: Sendable {
        let name: String
        let spec: LinearSpec
    }

    private struct NormRecord: Sendable {
        let name: String
        let spec: NormSpec
    }

    package init(_ spec: DecoderSpec) {
        layerCount = spec.layerCount
        hiddenSize = spec.hiddenSize
        vocabularyCount = spec.vocabularyCount
        embeddingName = spec.embedding.name
        otherHeadName = spec.head.otherName
        var linears = [
            LinearRecord(
                name: spec.head.name,
                spec: LinearSpec(
                    spec.head.name, outputCount: spec.vocabularyCount, inputCount: spec.hiddenSize,
                    hasBias: spec.head.hasBias))
        ]
        var norms = [NormRecord(name: spec.finalNorm.name, spec: spec.finalNorm)]
        var all: [Slot] = [.embedding]
        if let norm = spec.embedding.norm {
            all.append(.norm(NormSlot(index: norms.count)))
            norms.append(NormRecord(name: norm.name, spec: norm))
        }
        var layers: [LayerSlots] = []
        for layer in spec.layers {
            let slots = LayerSlots(layer, firstLinear: linears.count, firstNorm: norms.count)
            all += slots.norms.map { .norm(NormSlot(index: $0)) }
            all += slots.linears.map { .linear(LinearSlot(index: $0)) }
            norms += layer.norms.map { NormRecord(name: "\(layer.name).\($0.name)", spec: $0) }
            linears += layer.linears.map {
                LinearRecord(name: "\(layer.name).\($0.name)", spec: $0)
            }
            layers.append(slots)
        }
        all += [.norm(.final), .linear(.head)]
        self.layers = layers
        self.linears = linears
        self.norms = norms
        self.all = all
        sublayerNames = spec.layers.flatMap {
            ["\($0.name).\($0.attention.name)", "\($0.name).\($0.feedForward.name)"]
        }
        var slotsByName = Dictionary(
            all.map { slot in
                switch slot {
                case .embedding: (spec.embedding.name, slot)
                case .linear(let linear): (linears[linear.index].name, slot)
                case .norm(let norm): (norms[norm.index].name, slot)
                }
            }, uniquingKeysWith: { (first: Slot, _: Slot) in first })
        if let name = otherHeadName { slotsByName[name] = .linear(.head) }
        self.slotsByName = slotsByName
    }

    /// True where the slot's outputs are the logits of experts.
    public func isRouter(_ slot: LinearSlot) -> Bool {
        layers.contains { $0.experts?.router == slot.index }
    }

    /// True where layers have experts.
    public var haveExperts: Bool { layers.contains { $0.experts != nil } }

    public var linearCount: Int { linears.count }

    public var normCount: Int { norms.count }

    public var sublayerCount: Int { sublayerNames.count }

    public func index(of slot: LinearSlot) -> Int { slot.index }

    public func index(of slot: NormSlot) -> Int { slot.index }

    public func index(of slot: SublayerSlot) -> Int {
        slot.layer * 2 + (slot.sublayer == .attention ? 0 : 1)
    }

    /// **Shape** of a linear slot's weight.
    public func shape(of slot: LinearSlot) -> LinearShape { linears[slot.index].spec.shape }

    /// Values of a norm's gain.
    public func width(of slot: NormSlot) -> Int { norms[slot.index].spec.width }

    /// True where the base has a bias at this slot.
    public func hasBias(_ slot: LinearSlot) -> Bool { linears[slot.index].spec.hasBias }

    /// True where the norm has a bias.
    public func hasBias(_ slot: NormSlot) -> Bool { norms[slot.index].spec.hasBias }

    /// What is added to the norm's stored gain where it acts.
    public func gainOffset(of slot: NormSlot) -> Float { norms[slot.index].spec.gainOffset }

    /// A stored gain as it acts.
    func effectiveGain(_ gain: [Float], at slot: NormSlot) -> [Float] {
        let offset = gainOffset(of: slot)
        return offset == 0 ? gain : gain.map { offset + $0 }
    }

    /// Where the matrix lies among those of all experts, where a checkpoint has one tensor for
    /// them.
    public func stacked(_ slot: LinearSlot) -> StackedTensor? { linears[slot.index].spec.stacked }

    /// The full name of a tensor that `stacked` names.
    ///
    /// - Parameter name: within the layer of the slot.
    public func stackedName(_ name: String, of slot: LinearSlot) -> String {
        let record = linears[slot.index]
        return record.name.dropLast(record.spec.name.count) + name
    }

    /// The same where checkpoints have no other form.
    public func onlyStacked(_ slot: LinearSlot) -> StackedTensor? {
        stacked(slot).flatMap { $0.isAlternative ? nil : $0 }
    }

    /// The slot of the first expert in the only form that checkpoints have; nil where each has a
    /// tensor of its own.
    public func firstOfStack(_ slot: LinearSlot) -> LinearSlot? {
        guard let stacked = onlyStacked(slot) else { return nil }
        return LinearSlot(index: slot.index - stacked.index * stackStride(of: slot))
    }

    private func stackStride(of slot: LinearSlot) -> Int {
        layers.first { $0.linears.contains(slot.index) }?.experts?.expertSlotCount ?? 1
    }

    /// The slots whose matrices one tensor has, in its order; the first of them is the slot given.
    public func stack(from slot: LinearSlot) -> [LinearSlot] {
        guard let stacked = stacked(slot) else { return [slot] }
        let stride = stackStride(of: slot)
        return (0..<stacked.count).map { LinearSlot(index: slot.index + $0 * stride) }
    }

    /// True where checkpoints store the matrix as [inputCount, outputCount].
    public func isTransposed(_ slot: LinearSlot) -> Bool {
        linears[slot.index].spec.isTransposed
    }

    /// The module's name as checkpoints and adapter configurations spell it, for example
    /// `model.layers.0.self_attn.q_proj`.
    public func name(of slot: Slot) -> String {
        switch slot {
        case .embedding: embeddingName
        case .linear(let linear): linears[linear.index].name
        case .norm(let norm): norms[norm.index].name
        }
    }

    /// All names by which adapters know the module; the first is that of checkpoints.
    public func names(of slot: Slot) -> [String] {
        guard slot == .linear(.head), let otherHeadName else { return [name(of: slot)] }
        return [name(of: slot), otherHeadName]
    }

    /// The module's name, for example `model.layers.0.self_attn`.
    public func name(of slot: SublayerSlot) -> String { sublayerNames[index(of: slot)] }

    /// The name of the tensor with a slot's matrix or gain.
    func weightName(of slot: Slot) -> String { name(of: slot) + ".weight" }

    /// The name of the tensor with a slot's bias.
    func biasName(of slot: Slot) -> String { name(of: slot) + ".bias" }

    /// The slot with this module name; nil where the base has no such module.
    public func slot(named name: String) -> Slot? { slotsByName[name] }

    /// Every linear slot, the head included, in forward order.
    public var linearSlots: [LinearSlot] {
        all.compactMap { if case .linear(let slot) = $0 { slot } else { nil } }
    }
}

/// The slots of a layer, by number.
package struct LayerSlots: Sendable {
    /// All of them, in the order in which they act.
    package let linears: Range<Int>
    package let norms: Range<Int>
    /// Queries, keys and values: three slots, or one where `isFused`.
    let projections: Range<Int>
    let isFused: Bool
    let attentionOutput: Int
    /// Gate and up, or one slot; empty, and `down` without meaning, where there are experts alone.
    let feedForward: Range<Int>
    let down: Int
    package let experts: ExpertSlots?
    let attentionNorm, queryNorm, keyNorm, attentionOutputNorm: Int?
    let feedForwardNorm, feedForwardOutputNorm: Int?

    fileprivate init(_ layer: LayerSpec, firstLinear: Int, firstNorm: Int) {
        let (projectionCount, inputCount) = (
            layer.attention.projections.linears.count,
            layer.feedForward.inputs?.linears.count ?? 0
        )
        linears = firstLinear..<firstLinear + layer.linears.count
        projections = firstLinear..<firstLinear + projectionCount
        isFused = projectionCount == 1
        attentionOutput = projections.upperBound
        feedForward = attentionOutput + 1..<attentionOutput + 1 + inputCount
        down = feedForward.upperBound
        let firstOfExperts = feedForward.isEmpty ? down : down + 1
        experts = layer.feedForward.experts.map { ExpertSlots($0, router: firstOfExperts) }
        var next = firstNorm
        func number(_ norm: NormSpec?) -> Int? {
            guard norm != nil else { return nil }
            defer { next += 1 }
            return next
        }
        attentionNorm = number(layer.attentionNorm)
        queryNorm = number(layer.attention.queryNorm)
        keyNorm = number(layer.attention.keyNorm)
        attentionOutputNorm = number(layer.attentionOutputNorm)
        feedForwardNorm = number(layer.feedForwardNorm)
        feedForwardOutputNorm = number(layer.feedForwardOutputNorm)
        norms = firstNorm..<next
    }

    /// The slots that make queries, keys and values apart; nil where one makes all.
    package var separate: (query: LinearSlot, key: LinearSlot, value: LinearSlot)? {
        guard !isFused else { return nil }
        let first = projections.lowerBound
        return (
            LinearSlot(index: first), LinearSlot(index: first + 1), LinearSlot(index: first + 2)
        )
    }

    /// What runs first of the feed-forward part.
    var firstOfFeedForward: Range<Int> {
        if let experts { experts.router..<experts.router + 1 } else { feedForward }
    }

    /// The slot that makes queries, keys and values; nil where there are three.
    package var fused: LinearSlot? { isFused ? LinearSlot(index: projections.lowerBound) : nil }

    /// The slot behind attention.
    package var output: LinearSlot { LinearSlot(index: attentionOutput) }
}

/// The slots of a layer's experts, by number.
package struct ExpertSlots: Sendable {
    let router: Int
    let sharedGate: Int?
    private let first: Int
    /// Slots of an expert: its inputs, then `down`.
    let expertSlotCount: Int

    fileprivate init(_ spec: ExpertsSpec, router: Int) {
        self.router = router
        sharedGate = spec.sharedGate.map { _ in router + 1 }
        first = router + (spec.sharedGate == nil ? 1 : 2)
        expertSlotCount = (spec.experts.first?.inputs.linears.count ?? 0) + 1
    }

    /// The first of an expert's inputs.
    func inputs(of expert: Int) -> Int { first + expert * expertSlotCount }

    func down(of expert: Int) -> Int { inputs(of: expert) + expertSlotCount - 1 }
}
