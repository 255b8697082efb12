public import Kernels
public import Transformer

/// Makes a LoRA from two checkpoints of one architecture: the truncated singular value
/// decomposition of each linear layer's difference.
///
/// With W' − W = U diag(s) Vᵀ, B is U √s and A is √s Vᵀ, each cut to the rank, and scaling is 1:
/// the best approximation of that rank (Eckart and Young 1936).
public struct LoRAExtraction {
    let base: BaseModel
    let tuned: BaseModel
    let options: ExtractionOptions
    let pool: WorkerPool
    private let targets: Set<LinearSlot>

    /// - Throws: `AdapterError.unextractable` where the two have not the same layers, or a target
    ///   is no linear layer.
    public init(
        base: BaseModel, tuned: BaseModel, options: ExtractionOptions, pool: WorkerPool
    ) throws(AdapterError) {
        self.base = base
        self.tuned = tuned
        self.options = options
        self.pool = pool
        targets = try Self.targets(options.targets, base: base)
        try checkShapes(targets)
    }

    /// Decomposes and writes.
    ///
    /// - Parameters:
    ///   - path: a new directory, or a file whose name ends in `.lora`.
    ///   - progress: called with the share done, 0…1.
    /// - Throws: `AdapterError.unextractable` where nothing differs, or something that isn't to be
    ///   saved; `.outputExists`, `.unwritable`.
    public func write(
        to path: String, progress: (Double) -> Void = { _ in }
    ) throws(AdapterError) -> ExtractionReport {
        var report = ExtractionReport()
        var builder = LoRABuilder(baseModules: base.slots.targetNames)
        let rest = ExtractionRest(self, targets: targets)
        try rest.handle(&report)
        let slots = base.slots.linearSlots.filter(targets.contains)
        var extracted: Set<LinearSlot> = []
        for (index, slot) in slots.enumerated() {
            if try add(slot, to: &builder, &report) { extracted.insert(slot) }
            progress(Double(index + 1) / Double(slots.count))
        }
        if options.rest == .save { try rest.save(to: &builder, targeted: extracted, &report) }
        guard !builder.isEmpty || !report.savedModules.isEmpty else {
            throw .unextractable(
                module: tuned.path, reason: "none of the targeted layers differs from \(base.path)")
        }
        report.notes += notes
        try builder.adapter().write(to: path)
        return report
    }

    /// - Returns: false where the layer doesn't differ.
    private func add(
        _ slot: LinearSlot, to builder: inout LoRABuilder, _ report: inout ExtractionReport
    ) throws(AdapterError) -> Bool {
        let module = base.slots.name(of: .linear(slot))
        let difference = difference(at: slot)
        guard difference.contains(where: { $0 != 0 }) else { return false }
        let shape = base.slots.shape(of: slot)
        let svd: SingularValueDecomposition
        do {
            svd = try SingularValueDecomposition(
                difference, rowCount: shape.outputCount, columnCount: shape.inputCount,
                threadCount: pool.threadCount)
        } catch {
            throw .unextractable(
                module: module,
                reason: error == .tooLarge
                    ? "its matrix is too large for LAPACK"
                    : "LAPACK finds no singular values: are its weights finite?")
        }
        let energies = svd.values.map { Double($0) * Double($0) }
        let energy = energies.reduce(0, +)
        let rank = rank(energies, energy)
        let factors = Self.factors(svd, rank: rank)
        builder.add(
            module,
            a: try AdapterTensor(
                name: module, shape: [rank, shape.inputCount], values: factors.a),
            b: try AdapterTensor(
                name: module, shape: [shape.outputCount, rank], values: factors.b),
            alpha: Double(rank))
        report.add(
            String(module.split(separator: ".").last ?? ""), rank: rank,
            kept: energies[..<rank].reduce(0, +), energy: energy)
        return true
    }

    private func rank(_ energies: [Double], _ energy: Double) -> Int {
        switch options.rank {
        case .fixed(let rank): return min(rank, energies.count)
        case .energy(let share):
            var kept = 0.0
            for (index, value) in energies.enumerated() {
                kept += value
                if kept >= share * energy { return index + 1 }
            }
            return energies.count
        }
    }

    private static func factors(
        _ svd: SingularValueDecomposition, rank: Int
    ) -> (a: [Float], b: [Float]) {
        var a = svd.right(rank: rank)
        var b = svd.scaledLeft(rank: rank)
        for index in 0..<rank {
            let root = svd.values[index].squareRoot()
            for column in 0..<svd.columnCount { a[index * svd.columnCount + column] *= root }
            for row in 0..<svd.rowCount {
                b[row * rank + index] = root == 0 ? 0 : b[row * rank + index] / root
            }
        }
        return (a, b)
    }

    /// W' − W in f32. **Shape** [outputCount, inputCount].
    func difference(at slot: LinearSlot) -> [Float] {
        let values = base.matrix(at: slot).floats(pool: pool)
        return zip(tuned.matrix(at: slot).floats(pool: pool), values).map { $0 - $1 }
    }
}

// What is decomposed.
extension LoRAExtraction {
    private static func targets(
        _ names: [String]?, base: BaseModel
    ) throws(AdapterError) -> Set<LinearSlot> {
        let slots = base.slots
        guard let names else { return Set(slots.linearSlots.filter { $0 != .head }) }
        var targets: Set<LinearSlot> = []
        for name in names {
            let named = slots.linearSlots.filter {
                ModuleMatcher.names(name, slots.name(of: .linear($0)))
            }
            guard !named.isEmpty else {
                throw .unextractable(
                    module: name,
                    reason: "the base has no linear layer of this name; it has "
                        + TargetSummary.moduleNames(slots))
            }
            targets.formUnion(named)
        }
        guard !targets.contains(.head) || base.matrix(at: .head) !== base.weights.embedding else {
            throw .unextractable(
                module: slots.name(of: .linear(.head)),
                reason: "the base ties it to the embedding, whose change a LoRA doesn't hold")
        }
        return targets
    }
}

extension PackedMatrix {
    /// The matrix in f32. **Shape** [outputCount, inputCount].
    func floats(pool: WorkerPool) -> [Float] {
        let count = outputCount * inputCount
        return [Float](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            unpack(into: buffer.baseAddress!, pool: pool)
            initializedCount = count
        }
    }
}
