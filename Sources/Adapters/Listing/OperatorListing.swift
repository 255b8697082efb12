internal import Kernels
public import Transformer

/// What an adapter's operators are, kind of layer by kind of layer.
public struct OperatorListing: Sendable {
    /// In forward order.
    public private(set) var costs: [OperatorCost] = []
    private let base: BaseModel
    private var places: [String: Int] = [:]

    /// - Parameter base: the one that the operators were compiled for.
    public init(_ operators: AdapterOperators, base: BaseModel) {
        let base = operators.repeatedBase ?? base
        self.base = base
        for op in operators.embedding { add(op) }
        for slot in base.slots.all { add(operators, at: slot) }
        addPrefixes(operators)
        for (slot, bottleneck) in operators.bottlenecks { add(bottleneck, at: slot) }
        addCompanion(operators)
    }

    private mutating func add(_ operators: AdapterOperators, at slot: Slot) {
        let name = TargetSummary.lastComponent(base.slots.name(of: slot))
        switch slot {
        case .linear(let linear):
            let shape = base.slots.shape(of: linear)
            var seen: Set<String> = []
            for op in operators.linear[linear] ?? [] {
                let form = op.form(shape)
                var cost = OperatorCost(module: name, form, byteCount: op.byteCount)
                // The layer's own count once, also where two operators of a form stand there.
                if seen.insert("\(form.name) \(form.place)").inserted {
                    cost.layerCount = 1
                    cost.layerProductCount = shape.outputCount * shape.inputCount
                    cost.layerByteCount = base.matrix(at: linear).byteCount
                }
                add(cost)
            }
        case .norm(let norm):
            let biasByteCount =
                (operators.normBiases[norm]?.count ?? 0) * MemoryLayout<Float>.stride
            let byteCount = (operators.norms[norm]?.byteCount ?? 0) + biasByteCount
            guard byteCount > 0 else { return }
            let form = OperatorForm(name: "gains", place: .instead, productCount: 0)
            var cost = OperatorCost(module: name, form, byteCount: byteCount)
            cost.layerCount = 1
            cost.layerByteCount = byteCount
            add(cost)
        case .embedding: return
        }
    }

    private mutating func add(_ op: EmbeddingOperator) {
        let form = op.form(hiddenSize: base.slots.hiddenSize)
        let isInFront = form.place == .front
        let name = TargetSummary.lastComponent(base.slots.name(of: .embedding))
        var cost = OperatorCost(
            module: isInFront ? Self.sequence : name, form, byteCount: op.byteCount)
        cost.layerCount = 1
        if isInFront { cost.productCount += attended(form.size ?? 0) }
        add(cost)
    }

    private mutating func addPrefixes(_ operators: AdapterOperators) {
        if let prefix = operators.prefix {
            let form = OperatorForm(
                name: "keys and values", place: .front, size: prefix.tokenCount,
                productCount: attended(prefix.tokenCount))
            var cost = OperatorCost(module: Self.sequence, form, byteCount: prefix.byteCount)
            cost.layerCount = base.slots.layerCount
            add(cost)
        }
        for prefix in operators.gatedPrefixes.values {
            let form = OperatorForm(
                name: "gated keys and values", place: .beside, size: prefix.tokenCount,
                productCount: attended(prefix.tokenCount) / base.slots.layerCount)
            var cost = OperatorCost(module: Self.sequence, form, byteCount: prefix.byteCount)
            cost.layerCount = 1
            add(cost)
        }
    }

    private mutating func add(_ bottleneck: Bottleneck, at slot: SublayerSlot) {
        let form = OperatorForm(
            name: "bottleneck", place: bottleneck.standsBehind ? .after : .beside,
            size: bottleneck.width,
            productCount: 2 * bottleneck.width * base.slots.hiddenSize)
        var cost = OperatorCost(
            module: "\(slot.sublayer)", form, byteCount: bottleneck.byteCount)
        cost.layerCount = 1
        add(cost)
    }

    private mutating func addCompanion(_ operators: AdapterOperators) {
        for layer in operators.stateLayers.values {
            // Every value is multiplied once a row.
            let form = OperatorForm(
                name: "state of the row", place: .beside,
                productCount: layer.byteCount / MemoryLayout<Float>.stride)
            var cost = OperatorCost(module: Self.sequence, form, byteCount: layer.byteCount)
            cost.layerCount = 1
            add(cost)
        }
        guard let companion = operators.companion else { return }
        let slots = companion.model?.slots ?? base.slots
        let products = slots.linearSlots.filter { $0 != .head }.reduce(0) {
            $0 + slots.shape(of: $1).outputCount * slots.shape(of: $1).inputCount
        }
        let form = OperatorForm(
            name: companion.model == nil ? "a first pass through the base" : "a model",
            place: .beside, productCount: products + (companion.readout?.productCount ?? 0))
        var cost = OperatorCost(module: Self.sequence, form, byteCount: companion.byteCount)
        cost.layerCount = slots.layerCount
        add(cost)
    }

    /// What acts on the whole sequence and on no module.
    private static let sequence = "sequence"

    /// Products of one row's attention with this many tokens more, in all layers.
    private func attended(_ tokenCount: Int) -> Int {
        let width = base.configuration.queryHeadCount * base.configuration.headDimension
        return 2 * tokenCount * width * base.slots.layerCount
    }

    /// Adds what one layer has to its kind's.
    private mutating func add(_ cost: OperatorCost) {
        let key = "\(cost.module) \(cost.form) \(cost.place)"
        if let index = places[key] {
            costs[index].add(cost)
        } else {
            places[key] = costs.count
            costs.append(cost)
        }
    }
}

extension OperatorCost {
    fileprivate init(module: String, _ form: OperatorForm, byteCount: Int) {
        self.init(module: module, form: form.name, place: form.place)
        size = form.size
        productCount = form.productCount
        self.byteCount = byteCount
    }

    fileprivate mutating func add(_ other: OperatorCost) {
        if let count = other.size { size = max(size ?? 0, count) }
        layerCount += other.layerCount
        productCount += other.productCount
        byteCount += other.byteCount
        layerProductCount += other.layerProductCount
        layerByteCount += other.layerByteCount
    }
}
