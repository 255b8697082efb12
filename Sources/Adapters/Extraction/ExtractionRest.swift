internal import Kernels
internal import Transformer

/// What differs between two checkpoints and isn't the weight of a targeted layer.
struct ExtractionRest {
    private let base: BaseModel
    private let tuned: BaseModel
    private let options: ExtractionOptions
    private let pool: WorkerPool
    private let norms: [NormSlot]
    private let biases: [LinearSlot]
    private let linears: [LinearSlot]
    private let changesEmbedding: Bool

    init(_ extraction: LoRAExtraction, targets: Set<LinearSlot>) {
        let (base, tuned) = (extraction.base, extraction.tuned)
        self.base = base
        self.tuned = tuned
        options = extraction.options
        pool = extraction.pool
        norms = base.slots.all.compactMap { slot in
            guard case .norm(let norm) = slot else { return nil }
            let isSame =
                base.gain(at: norm) == tuned.gain(at: norm)
                && base.bias(at: norm) == tuned.bias(at: norm)
            return isSame ? nil : norm
        }
        biases = base.slots.linearSlots.filter { slot in
            let (own, other) = (base.bias(at: slot), tuned.bias(at: slot))
            return own != other && (other != nil || own?.contains { $0 != 0 } ?? false)
        }
        changesEmbedding = !Self.areEqual(
            base.weights.embedding, tuned.weights.embedding, extraction.pool)
        // A head of its own on one side only may have become another than the embedding, or be it
        // again.
        let areTied = Self.isTied(base) && Self.isTied(tuned)
        linears = base.slots.linearSlots.filter { slot in
            guard !targets.contains(slot), slot != .head || !areTied else { return false }
            return !Self.areEqual(base.matrix(at: slot), tuned.matrix(at: slot), extraction.pool)
        }
    }

    private static func areEqual(
        _ first: PackedMatrix, _ second: PackedMatrix, _ pool: WorkerPool
    ) -> Bool {
        first.outputCount == second.outputCount
            && first.floats(pool: pool) == second.floats(pool: pool)
    }

    /// Whether embedding and head are one table.
    private static func isTied(_ model: BaseModel) -> Bool {
        model.matrix(at: .head) === model.weights.embedding
    }

    /// Layers that the user did not choose are his choice; the rest is for the options to say.
    ///
    /// - Throws: `AdapterError.unextractable` where there is a rest and it is to be refused.
    func handle(_ report: inout ExtractionReport) throws(AdapterError) {
        let names = names
        let others = linears.filter { $0 != .head }.map { base.slots.name(of: .linear($0)) }
        if !others.isEmpty {
            report.notes.append(
                "\(Self.listed(others)) differ\(others.count == 1 ? "s" : "") too, and "
                    + "\(others.count == 1 ? "is" : "are") not targeted")
        }
        guard !names.isEmpty else { return }
        switch options.rest {
        case .save: return
        case .ignore:
            report.notes.append("the change of \(Self.listed(names)) was left out")
        case .refuse:
            throw .unextractable(
                module: names[0],
                reason:
                    "\(names.count == 1 ? "it differs" : "with \(names.count - 1) others it differs")"
                    + ", and a LoRA holds changes of linear layers only: --save-rest saves it whole, "
                    + "--ignore-rest leaves it out")
        }
    }

    private var names: [String] {
        var names: [String] = []
        if changesEmbedding { names.append(base.slots.name(of: .embedding)) }
        if linears.contains(.head) { names.append(base.slots.name(of: .linear(.head))) }
        names += norms.map { base.slots.name(of: .norm($0)) }
        names += biases.map { base.slots.name(of: .linear($0)) + ".bias" }
        return names
    }

    private static func listed(_ names: [String]) -> String {
        let shown = names.prefix(3).joined(separator: ", ")
        return names.count > 3 ? "\(shown) and \(names.count - 3) more" : shown
    }

    /// Saves it in place of the base's: whole modules, and all biases where any differs.
    func save(
        to builder: inout LoRABuilder, targeted: Set<LinearSlot>, _ report: inout ExtractionReport
    ) throws(AdapterError) {
        let saved = SavedModules(names: savedNames)
        for slot in base.slots.all where saved.contains(base.slots.name(of: slot)) {
            try save(slot, to: &builder)
            report.savedModules.append(base.slots.name(of: slot))
        }
        guard !biases.isEmpty else { return }
        builder.bias = "all"
        try saveNormBiases(except: saved, to: &builder)
        for slot in base.slots.linearSlots {
            let module = base.slots.name(of: .linear(slot))
            guard let own = base.bias(at: slot), !saved.contains(module) else { continue }
            // A bias that only the base has is none.
            let bias = tuned.bias(at: slot) ?? [Float](repeating: 0, count: own.count)
            builder.append(
                try AdapterTensor(
                    name: PEFTAdapter.prefix + module
                        + (targeted.contains(slot) ? ".base_layer.bias" : ".bias"),
                    shape: [bias.count], values: bias))
            report.savedModules.append(module + ".bias")
        }
    }

    /// PEFT's "all" means norms as well; those that changed are saved whole.
    private func saveNormBiases(
        except saved: SavedModules, to builder: inout LoRABuilder
    ) throws(AdapterError) {
        for case .norm(let norm) in base.slots.all {
            let module = base.slots.name(of: .norm(norm))
            guard let bias = base.bias(at: norm), !saved.contains(module) else { continue }
            builder.append(
                try AdapterTensor(
                    name: PEFTAdapter.prefix + module + ".bias", shape: [bias.count], values: bias))
        }
    }

    /// Of modules that are saved; a name stands for all modules that end so.
    private var savedNames: [String] {
        var names = Set(
            norms.map { slot in
                let name = base.slots.name(of: .norm(slot))
                return String(name.split(separator: ".").last ?? "")
            })
        let head = base.slots.name(of: .linear(.head))
        if changesEmbedding {
            names.insert(
                TargetSummary.lastComponent(base.slots.name(of: .embedding)))
            // A tied head would keep the base's table otherwise.
            if Self.isTied(base) { names.insert(head) }
        }
        if linears.contains(.head) { names.insert(head) }
        return names.sorted()
    }

    private func save(_ slot: Slot, to builder: inout LoRABuilder) throws(AdapterError) {
        let module = base.slots.name(of: slot)
        let name = module + ".weight"
        let tensor: AdapterTensor
        switch slot {
        case .norm(let norm):
            let gain = tuned.gain(at: norm)
            tensor = try AdapterTensor(name: name, shape: [gain.count], values: gain)
        case .embedding: tensor = try table(tuned.weights.embedding, name: name)
        case .linear(let linear): tensor = try table(tuned.matrix(at: linear), name: name)
        }
        let leaf = TargetSummary.lastComponent(module)
        let saved = savedNames.contains(leaf) ? leaf : savedNames[0]
        builder.save(tensor, module: saved)
        let bias: [Float]? =
            switch slot {
            case .norm(let norm): tuned.bias(at: norm)
            case .linear(let linear):
                base.bias(at: linear).map {
                    tuned.bias(at: linear) ?? [Float](repeating: 0, count: $0.count)
                }
            case .embedding: nil
            }
        guard let bias else { return }
        builder.save(
            try AdapterTensor(name: module + ".bias", shape: [bias.count], values: bias),
            module: saved)
    }

    private func table(
        _ matrix: PackedMatrix, name: String
    ) throws(AdapterError) -> AdapterTensor {
        try AdapterTensor(
            name: name, shape: [matrix.outputCount, matrix.inputCount],
            values: matrix.floats(pool: pool))
    }
}
