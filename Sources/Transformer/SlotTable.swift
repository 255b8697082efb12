/// Every slot of a base: its index, its module name in checkpoints, and its shape.
///
/// Adapters are matched against it by module name; plans and merged weights are indexed by it.
public struct SlotTable: Sendable {
    public let layerCount: Int
    public let hiddenSize: Int
    public let vocabularyCount: Int
    private let configuration: ModelConfiguration
    private let slotsByName: [String: Slot]

    package init(_ configuration: ModelConfiguration) {
        self.configuration = configuration
        layerCount = configuration.layerCount
        hiddenSize = configuration.hiddenSize
        vocabularyCount = configuration.vocabularyCount
        slotsByName = Dictionary(
            uniqueKeysWithValues: Self.allSlots(layerCount: configuration.layerCount).map {
                (WeightNames.module(of: $0), $0)
            })
    }

    public var linearCount: Int { layerCount * LinearRole.allCases.count + 1 }

    public var normCount: Int { layerCount * NormRole.allCases.count + 1 }

    public var sublayerCount: Int { layerCount * Sublayer.allCases.count }

    /// The head is the last.
    public func index(of slot: LinearSlot) -> Int {
        switch slot {
        case .layer(let layer, let role): layer * LinearRole.allCases.count + role.rawValue
        case .head: linearCount - 1
        }
    }

    /// The final norm is the last.
    public func index(of slot: NormSlot) -> Int {
        switch slot {
        case .layer(let layer, let role): layer * NormRole.allCases.count + role.rawValue
        case .final: normCount - 1
        }
    }

    public func index(of slot: SublayerSlot) -> Int {
        slot.layer * Sublayer.allCases.count + slot.sublayer.rawValue
    }

    /// **Shape** of a linear slot's weight.
    public func shape(of slot: LinearSlot) -> LinearShape {
        configuration.shape(of: slot)
    }

    /// True where the base has a bias at this slot.
    public func hasBias(_ slot: LinearSlot) -> Bool { configuration.hasBias(slot) }

    /// The module's name as checkpoints and adapter configurations spell it, for example
    /// `model.layers.0.self_attn.q_proj`.
    public func name(of slot: Slot) -> String { WeightNames.module(of: slot) }

    /// The module's name, for example `model.layers.0.self_attn`.
    public func name(of slot: SublayerSlot) -> String { WeightNames.module(of: slot) }

    /// The slot with this module name; nil where the base has no such module.
    public func slot(named name: String) -> Slot? { slotsByName[name] }

    /// Every slot, in forward order.
    public var all: [Slot] { Self.allSlots(layerCount: layerCount) }

    /// Every linear slot, the head included, in forward order.
    public var linearSlots: [LinearSlot] {
        all.compactMap { if case .linear(let slot) = $0 { slot } else { nil } }
    }

    private static func allSlots(layerCount: Int) -> [Slot] {
        var slots: [Slot] = [.embedding]
        for layer in 0..<layerCount {
            slots.append(.norm(.layer(layer, .attention)))
            slots.append(.norm(.layer(layer, .feedForward)))
            slots += LinearRole.allCases.map { .linear(.layer(layer, $0)) }
        }
        return slots + [.norm(.final), .linear(.head)]
    }
}
