import Kernels

/// Collects the operators of a selection slot by slot.
struct PlanBuilder {
    let slots: SlotTable
    /// What the slots are of, where it isn't the base itself.
    var repeatedBase: BaseModel?
    var linear: [AdapterPlan.Linear?]
    /// By `SlotTable.index(of: NormSlot)`, as they act.
    var gains: [[Float]?]
    var normBiases: [[Float]?]
    var embedding: AdapterPlan.Embedding?
    var gates: [Int: [AdapterPlan.Gate]] = [:]
    private(set) var bottlenecks: [SublayerSlot: Bottleneck] = [:]
    /// Which adapter has a bottleneck there, for messages.
    private var bottleneckOwners: [SublayerSlot: String] = [:]
    /// In the order in which they stand in front of the sequence.
    private var prefixes: [PrefixKeyValues] = []
    var activation: ActivationTokens?
    var companion: PlanCompanion?
    private(set) var stateLayers: [Int: StateLayer] = [:]
    private(set) var readsWholeCalls = false
    private(set) var vocabulary: ResizedVocabulary?
    /// The adapter that `vocabulary` comes from.
    private var vocabularyOwner = ""
    private var names: [String] = []
    /// Which adapter replaced a slot, for messages.
    private var replacers: [Slot: String] = [:]

    init(slots: SlotTable) {
        self.slots = slots
        linear = Array(repeating: nil, count: slots.linearCount)
        gains = Array(repeating: nil, count: slots.normCount)
        normBiases = gains
    }

    /// All prefixes as one.
    var prefix: PrefixKeyValues? {
        prefixes.count > 1 ? PrefixKeyValues(concatenating: prefixes) : prefixes.first
    }

    /// By `SlotTable.index(of: SublayerSlot)`; empty where there are none.
    var bottlenecksByIndex: [Bottleneck?] {
        guard !bottlenecks.isEmpty else { return [] }
        var list = [Bottleneck?](repeating: nil, count: slots.sublayerCount)
        for (slot, bottleneck) in bottlenecks { list[slots.index(of: slot)] = bottleneck }
        return list
    }

    mutating func add(_ part: SelectedOperators) throws(CombinationError) {
        if part.operators.replacesWeights, part.weight != 1 {
            throw .weightOfReplacement(adapter: part.name, weight: part.weight)
        }
        try checkLayers(part)
        try addActivation(part)
        try addCompanion(part)
        for (slot, operators) in part.operators.linear {
            for op in operators { try add(op, at: slot, of: part) }
        }
        for (slot, op) in part.operators.norms { try add(op, at: slot, of: part) }
        for (slot, bias) in part.operators.normBiases {
            if part.operators.norms[slot] == nil { try claim(.norm(slot), for: part) }
            normBiases[slots.index(of: slot)] = bias
        }
        for op in part.operators.embedding { try add(op, of: part) }
        for (layer, prefix) in part.operators.gatedPrefixes {
            gates[layer, default: []].append(
                AdapterPlan.Gate(prefix: prefix, weight: part.weight))
        }
        for (slot, bottleneck) in part.operators.bottlenecks {
            try add(bottleneck, at: slot, of: part)
        }
        if let added = part.operators.prefix { try add(added, of: part) }
        if let resized = part.operators.vocabulary {
            if vocabulary != nil { throw .twoVocabularies(vocabularyOwner, part.name) }
            vocabulary = resized
            if let head = resized.head {
                let index = slots.index(of: .head)
                var entry = linear[index] ?? AdapterPlan.Linear()
                entry.extraOutputs = head
                linear[index] = entry
            }
            vocabularyOwner = part.name
        }
    }

    private mutating func add(
        _ op: LinearOperator, at slot: LinearSlot, of part: SelectedOperators
    ) throws(CombinationError) {
        let index = slots.index(of: slot)
        var entry = linear[index] ?? AdapterPlan.Linear()
        switch op {
        case .lowRank(let lowRank):
            entry.lowRanks.append(lowRank.weighted(part.weight))
        case .dense(let matrix):
            entry.dense.append((matrix, part.weight))
        case .update(let map): entry.maps.append(placed(map, .update, part))
        case .input(let map): entry.maps.append(placed(map, .input, part))
        case .output(let map): entry.maps.append(placed(map, .output, part))
        case .bias(let difference):
            var sum = entry.bias ?? Array(repeating: 0, count: difference.count)
            for i in sum.indices { sum[i] += part.weight * difference[i] }
            entry.bias = sum
        case .replacement(let matrix, let bias):
            try claim(.linear(slot), for: part)
            entry.replacement = matrix
            entry.replacementBias = bias
        }
        try checkMaps(entry.maps, at: slot)
        linear[index] = entry
    }

    private func placed(
        _ map: RowMap, _ place: AdapterPlan.PlacedMap.Place, _ part: SelectedOperators
    ) -> AdapterPlan.PlacedMap {
        AdapterPlan.PlacedMap(place: place, map: map, weight: part.weight, owner: part.name)
    }

    /// The last map must add up with those before.
    private func checkMaps(
        _ maps: [AdapterPlan.PlacedMap], at slot: LinearSlot
    ) throws(CombinationError) {
        guard let last = maps.last else { return }
        for other in maps where other.owner != last.owner {
            let name = slots.name(of: .linear(slot))
            switch (other.place, last.place) {
            case (.input, .output):
                throw .crossedMaps(input: other.owner, output: last.owner, slot: name)
            case (.output, .input):
                throw .crossedMaps(input: last.owner, output: other.owner, slot: name)
            default: continue
            }
        }
    }

    private mutating func add(
        _ bottleneck: Bottleneck, at slot: SublayerSlot, of part: SelectedOperators
    ) throws(CombinationError) {
        guard part.weight == 1 else {
            throw .weightOfBottleneck(adapter: part.name, weight: part.weight)
        }
        if let other = bottleneckOwners[slot] {
            throw .twoBottlenecks(other, part.name, slot: slots.name(of: slot))
        }
        bottlenecks[slot] = bottleneck
        bottleneckOwners[slot] = part.name
    }

    private mutating func add(
        _ op: NormOperator, at slot: NormSlot, of part: SelectedOperators
    ) throws(CombinationError) {
        try claim(.norm(slot), for: part)
        switch op {
        case .gain(let gain):
            gains[slots.index(of: slot)] = slots.effectiveGain(gain, at: slot)
        }
    }

    private mutating func add(
        _ op: EmbeddingOperator, of part: SelectedOperators
    ) throws(CombinationError) {
        var entry = embedding ?? AdapterPlan.Embedding()
        switch op {
        case .lowRank(let rows, let b, let scaling):
            entry.lowRanks.append(
                AdapterPlan.EmbeddingLowRank(
                    rows: rows, b: b, scaling: scaling * part.weight))
        case .product(let rows, let b):
            entry.products.append(
                AdapterPlan.EmbeddingLowRank(rows: rows, b: b, scaling: part.weight))
        case .output(let map): entry.maps.append((map, part.weight))
        case .rows(let tokens, let differences):
            entry.rows.append(
                AdapterPlan.EmbeddingRows(
                    places: Dictionary(
                        tokens.enumerated().map { ($1, $0) }, uniquingKeysWith: { $1 }),
                    differences: differences, weight: part.weight))
        case .softPrompt(let rows):
            guard part.weight == 1 else {
                throw .weightOfSoftPrompt(adapter: part.name, weight: part.weight)
            }
            entry.softPrompt += rows
        case .replacement(let table):
            try claim(.embedding, for: part)
            entry.replacement = table
        }
        embedding = entry
    }

    private mutating func add(
        _ added: PrefixKeyValues, of part: SelectedOperators
    ) throws(CombinationError) {
        guard part.weight == 1 else {
            throw .weightOfPrefix(adapter: part.name, weight: part.weight)
        }
        prefixes.append(added)
    }

    /// All slots must be of the same layers.
    private func checkLayers(_ part: SelectedOperators) throws(CombinationError) {
        guard part.operators.repeatedBase?.layerOrder != repeatedBase?.layerOrder else { return }
        throw .otherLayers(names.first ?? part.name, part.name)
    }

    /// An adapter that begins to act within the sequence stands alone.
    private mutating func addActivation(_ part: SelectedOperators) throws(CombinationError) {
        defer { names.append(part.name) }
        guard let other = names.first else { return activation = part.operators.activation }
        if activation != nil { throw .activation(adapter: other, other: part.name) }
        if part.operators.activation != nil { throw .activation(adapter: part.name, other: other) }
    }

    /// So does one with a pass of its own, or that reads whole calls.
    private mutating func addCompanion(_ part: SelectedOperators) throws(CombinationError) {
        if companion != nil || readsWholeCalls {
            throw .alone(adapter: names[0], other: part.name)
        }
        readsWholeCalls = part.operators.readsWholeCalls
        let added = part.operators.companion
        guard added != nil || readsWholeCalls else { return }
        guard names.count == 1 else { throw .alone(adapter: part.name, other: names[0]) }
        guard let added else { return }
        guard part.weight == 1 else {
            throw .weightOfBottleneck(adapter: part.name, weight: part.weight)
        }
        stateLayers = part.operators.stateLayers
        companion = try PlanCompanion(added, name: part.name, slots: slots)
    }

    private mutating func claim(
        _ slot: Slot, for part: SelectedOperators
    ) throws(CombinationError) {
        if let other = replacers[slot] {
            throw .twoReplacements(other, part.name, slot: slots.name(of: slot))
        }
        replacers[slot] = part.name
    }
}
